"""CPU per request, requests per second and memory of our gateway beside other servers, with the same two models.

    python bench/serving.py [--peers FOLDER] [--seconds 2] [--rounds 3]

A logistic regression on 30 numbers and a forest of 100 trees. FOLDER holds a virtual environment per peer: mlserver, mlflow,
bentoml, fastapi (those that are there are measured); make one with `python -m venv FOLDER/mlserver` and pip. All servers are
up at once and take turns, so that a busy machine is busy for all; medians of the rounds are shown. Ours checks a token, routes,
and logs every prediction before it answers; the others do none of this. Trust the CPU column: what the server's process tree
used, divided by its answers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from serving_servers import MODELS, PEERS, Server, ours, train

CONNECTIONS = (1, 8, 32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train(folder)
        ports = iter(free_ports(60)[::6])
        servers = [ours(folder, next(ports))]
        if given.peers is not None:
            found = {peer: make for peer, make in PEERS.items() if (given.peers / peer / "bin").exists()}
            servers += [make(folder, next(ports), (given.peers / peer).absolute()) for peer, make in found.items()]
        try:
            for server in servers:
                begun = time.monotonic()
                server.processes = server.start()
                wait(server, folder)
                used = sum(cpu_seconds(process.pid) for process in server.processes)
                print(f"{server.name}: up after {time.monotonic() - begun:.1f} s, {used:.1f} s of CPU", flush=True)
            compare(servers, given.seconds, given.rounds)
        finally:
            for server in servers:
                for process in server.processes:
                    stop(process)


def compare(servers: list[Server], seconds: float, rounds: int) -> None:
    """Let all take turns, print a table per model."""
    for model in MODELS:
        print(
            f"\n{model:<10} {'clients':>7} {'req/s':>8} {'p50 ms':>8} {'p99 ms':>8} {'CPU us/req':>11} {'to ours':>8} {'MiB':>6}"
        )
        for count in CONNECTIONS:
            taken: dict[str, list[tuple[float, float, float, float]]] = {server.name: [] for server in servers}
            for _ in range(rounds):
                for server in servers:
                    taken[server.name].append(measure(server, model, count, seconds))
            base = statistics.median(row[3] for row in taken[servers[0].name])
            for server in servers:
                rate, p50, p99, cpu = (statistics.median(column) for column in zip(*taken[server.name], strict=True))
                memory = sum(pss_mib(process.pid) for process in server.processes)
                print(
                    f"{server.name:<10} {count:>7} {rate:>8.0f} {p50:>8.2f} {p99:>8.2f} {cpu:>11.0f} {cpu / base:>8.1f} {memory:>6.0f}",
                    flush=True,
                )


def measure(server: Server, model: str, clients: int, seconds: float) -> tuple[float, float, float, float]:
    """Requests per second, median and 99th percentile in ms, microseconds of CPU per request."""
    port, path, body, headers = server.requests[model]
    before = sum(cpu_seconds(process.pid) for process in server.processes)
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import serving; serving.client_main()"
    order = json.dumps([port, path, body.decode(), headers, clients, seconds])
    done = subprocess.run([sys.executable, "-c", code], input=order, capture_output=True, text=True, check=True)
    latencies = sorted(json.loads(done.stdout))
    used = sum(cpu_seconds(process.pid) for process in server.processes) - before
    count = len(latencies)
    return count / seconds, latencies[count // 2] * 1e3, latencies[int(count * 0.99)] * 1e3, used / count * 1e6


def client_main() -> None:
    """Load a server from kept-alive connections; seconds per answer, as JSON. Anything but a 200 ends the run."""
    port, path, body, headers, clients, seconds = json.load(sys.stdin)
    print(json.dumps(asyncio.run(_load(int(port), path, body.encode(), headers, int(clients), float(seconds)))))


async def _load(
    port: int, path: str, body: bytes, headers: dict[str, str], clients: int, seconds: float
) -> list[float]:
    request = request_bytes(port, path, body, headers)
    until = time.monotonic() + seconds
    latencies: list[float] = []

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() < until:
            begun = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"{port}{path}: {head[:200]!r}")
            lowered = head.lower()
            at = lowered.index(b"content-length:") + 15
            await reader.readexactly(int(lowered[at : lowered.index(b"\r\n", at)]))
            latencies.append(time.perf_counter() - begun)
        writer.close()

    await asyncio.gather(*(one() for _ in range(clients)))
    return latencies


def request_bytes(port: int, path: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = {
        "host": f"127.0.0.1:{port}",
        "content-type": "application/json",
        "content-length": str(len(body)),
        **headers,
    }
    head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return head.encode() + b"\r\n" + body


def wait(server: Server, folder: Path, seconds: float = 180) -> None:
    """Return once it answers for every model."""
    deadline = time.monotonic() + seconds
    for port, path, body, headers in server.requests.values():
        while not answers(port, path, body, headers):
            if time.monotonic() > deadline or any(process.poll() is not None for process in server.processes):
                said = "\n".join(log.read_text(errors="replace")[-2000:] for log in folder.rglob("*.log"))
                raise SystemExit(f"{server.name} did not start.\n{said}")
            time.sleep(0.3)


def answers(port: int, path: str, body: bytes, headers: dict[str, str]) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(request_bytes(port, path, body, headers))
            return connection.recv(12) == b"HTTP/1.1 200"
    except OSError:
        return False


def free_ports(count: int) -> list[int]:
    """Ports in a row that nobody holds now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        first = min(int(probe.getsockname()[1]), 60000)
    return list(range(first, first + count))


def stop(process: subprocess.Popen[bytes]) -> None:
    import psutil

    if process.poll() is not None:
        return
    family = tree(process.pid)
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for one in family[1:]:
        try:
            psutil.Process(one).kill()
        except psutil.NoSuchProcess:
            continue


def tree(pid: int) -> list[int]:
    import psutil

    process = psutil.Process(pid)
    return [pid, *(child.pid for child in process.children(recursive=True))]


def cpu_seconds(pid: int) -> float:
    import psutil

    return sum(sum(psutil.Process(one).cpu_times()[:2]) for one in tree(pid))


def pss_mib(pid: int) -> float:
    """Proportional set size, since forked workers share pages."""
    import psutil

    return sum(psutil.Process(one).memory_full_info().pss for one in tree(pid)) / 2**20


if __name__ == "__main__":
    main()
