/* A stand-in for NVIDIA's library with two invented GPUs, so that the real Python binding runs where there is no GPU.
 * GPU 0 answers, except for its power (not supported) and its fan (this library lacks the function).
 * GPU 1 is lost.
 * FAKE_NVML_INIT   makes nvmlInit fail with that code.
 * FAKE_NVML_GONE   names a file: while it is there the driver is not loaded, and who was initialised before has to begin anew.
 * FAKE_NVML_PIDS   "12 13": these processes are on GPU 0, the first also in its graphics list.
 * FAKE_NVML_MIG    cuts GPU 0 into two instances, the second with the first process.
 * FAKE_NVML_OLD    is a driver that counts what it keeps for itself as memory in use.
 * FAKE_NVML_COUNT  so many GPUs, up to 18; those after the second answer as the first does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, UNINITIALIZED = 1, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, SMALL = 7, NOT_LOADED = 9, LOST = 15 };
typedef unsigned int u;
typedef unsigned long long ull;
typedef struct { int index; } device;
typedef struct { u gpu, memory; } rates;
typedef struct { ull total, free, used; } memory;
typedef struct { u version; ull total, reserved, free, used; } memory2;
typedef struct { ull total, free, used; } bar1;
typedef struct { char legacy[16]; u domain, bus, dev, id, subsystem; char bus_id[32]; } pci;
typedef struct { u pid; ull memory; u gpu, compute; } process;
typedef struct { u pid; ull at; u sm, memory, encoder, decoder; } sample;
typedef struct { u multiprocessors, other[7]; ull megabytes; } attributes;
typedef struct { u field, scope; long long at, latency; u kind; int code; union { double d; u ui; ull ull_; } value; } fieldvalue;
static device devices[20] = {{0}, {1}, {2}, {3}}; /* 2 and 3 are the instances of GPU 0, more GPUs follow */
static int begun;
static ull sent[4];

static int absent(void) { const char *file = getenv("FAKE_NVML_GONE"); return file && access(file, F_OK) == 0; }
static int state(device *gpu) {
  if (absent()) { begun = 0; return NOT_LOADED; }
  if (!begun) return UNINITIALIZED;
  return gpu && gpu->index == 1 ? LOST : SUCCESS;
}
static int part(device *gpu) { return gpu->index == 2 || gpu->index == 3; }
static int mig(void) { return getenv("FAKE_NVML_MIG") != NULL; }
static u pids(u found[2]) {
  const char *list = getenv("FAKE_NVML_PIDS");
  int count = list ? sscanf(list, "%u %u", &found[0], &found[1]) : 0;
  return count > 0 ? (u)count : 0;
}

int nvmlInitWithFlags(u flags) {
  (void)flags;
  const char *code = getenv("FAKE_NVML_INIT");
  if (code) return atoi(code);
  if (absent()) return NOT_LOADED;
  begun = 1;
  return SUCCESS;
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { int was = begun; begun = 0; return was ? SUCCESS : UNINITIALIZED; }
int nvmlSystemGetDriverVersion(char *text, u size) { strncpy(text, "999.1", size); return state(NULL); }
int nvmlSystemGetCudaDriverVersion(int *version) { *version = 13020; return state(NULL); }
static u many(void) { const char *count = getenv("FAKE_NVML_COUNT"); return count ? (u)atoi(count) : 2; }
int nvmlDeviceGetCount_v2(u *count) { *count = many(); return state(NULL); }
int nvmlDeviceGetHandleByIndex_v2(u index, device **handle) {
  if (index >= many()) return INVALID;
  *handle = &devices[index > 1 ? index + 2 : index];
  if (index > 1) (*handle)->index = (int)index + 2;
  return state(NULL);
}
int nvmlDeviceGetName(device *gpu, char *name, u size) { strncpy(name, part(gpu) ? "Invented GPU MIG 1g" : "Invented GPU", size); return state(gpu); }
int nvmlDeviceGetUUID(device *gpu, char *uuid, u size) { snprintf(uuid, size, part(gpu) ? "MIG-fake-%d" : "GPU-fake-%d", gpu->index); return state(gpu); }
int nvmlDeviceGetPciInfo_v3(device *gpu, pci *out) { memset(out, 0, sizeof *out); strcpy(out->bus_id, "00000000:01:00.0"); return state(gpu); }
int nvmlDeviceGetUtilizationRates(device *gpu, rates *out) { out->gpu = 42; out->memory = 7; return mig() ? NOT_SUPPORTED : state(gpu); }
int nvmlDeviceGetEncoderUtilization(device *gpu, u *share, u *period) { *share = 5; *period = 1000; return state(gpu); }
int nvmlDeviceGetDecoderUtilization(device *gpu, u *share, u *period) { *share = 0; *period = 1000; return state(gpu); }
int nvmlDeviceGetMemoryInfo(device *gpu, memory *out) {
  ull scale = part(gpu) ? 29 : 30; /* an instance has half */
  out->total = 8ULL << scale; out->used = 2ULL << scale; out->free = 6ULL << scale;
  return state(gpu);
}
int nvmlDeviceGetMemoryInfo_v2(device *gpu, memory2 *out) {
  memory one;
  if (getenv("FAKE_NVML_OLD")) return 25; /* the argument's version is not known */
  nvmlDeviceGetMemoryInfo(gpu, &one);
  out->total = one.total; out->free = one.free; out->reserved = 1ULL << 28; out->used = one.used - out->reserved;
  return state(gpu);
}
int nvmlDeviceGetBAR1MemoryInfo(device *gpu, bar1 *out) { out->total = 1ULL << 28; out->used = 1ULL << 20; out->free = out->total - out->used; return state(gpu); }
int nvmlDeviceGetTemperature(device *gpu, u sensor, u *out) { (void)sensor; *out = 61; return state(gpu); }
int nvmlDeviceGetTemperatureThreshold(device *gpu, u which, u *out) { *out = which ? 87 : 92; return state(gpu); }
int nvmlDeviceGetPowerUsage(device *gpu, u *out) { (void)gpu; *out = 0; return NOT_SUPPORTED; }
int nvmlDeviceGetEnforcedPowerLimit(device *gpu, u *out) { *out = 300000; return state(gpu); }
int nvmlDeviceGetPowerManagementLimit(device *gpu, u *out) { *out = 350000; return state(gpu); }
int nvmlDeviceGetClockInfo(device *gpu, u kind, u *out) { *out = kind == 2 ? 2619 : 1410; return state(gpu); }
int nvmlDeviceGetMaxClockInfo(device *gpu, u kind, u *out) { (void)kind; *out = 1980; return state(gpu); }
int nvmlDeviceGetPerformanceState(device *gpu, u *out) { *out = 2; return state(gpu); }
int nvmlDeviceGetCurrentClocksThrottleReasons(device *gpu, ull *out) { *out = 0x4 | 0x20; return state(gpu); } /* the newer name is missing */
int nvmlDeviceGetPcieThroughput(device *gpu, u direction, u *out) { *out = direction ? 200 : 100; return state(gpu); }
int nvmlDeviceGetCurrPcieLinkGeneration(device *gpu, u *out) { *out = 4; return state(gpu); }
int nvmlDeviceGetCurrPcieLinkWidth(device *gpu, u *out) { *out = 16; return state(gpu); }
int nvmlDeviceGetEccMode(device *gpu, u *now, u *next) { *now = *next = 1; return state(gpu); }
int nvmlDeviceGetTotalEccErrors(device *gpu, u error, u counter, ull *out) { *out = 10 * error + counter; return state(gpu); }
int nvmlDeviceGetRemappedRows(device *gpu, u *fixed, u *broken, u *pending, u *failed) {
  *fixed = 3; *broken = 1; *pending = 1; *failed = 0;
  return state(gpu);
}
int nvmlDeviceGetTotalEnergyConsumption(device *gpu, ull *out) { *out = ~0ULL; return state(gpu); } /* "not available" inside an answer */
int nvmlDeviceGetFieldValues(device *gpu, int count, fieldvalue *values) {
  for (int i = 0; i < count; i++) {
    values[i].kind = 3; values[i].code = SUCCESS;
    if (values[i].field == 82) values[i].value.ull_ = 77;
    else if (values[i].field == 91) { values[i].kind = 1; values[i].value.ui = 2; } /* two NVLinks */
    else if (values[i].field == 138 && values[i].scope == ~0U) values[i].value.ull_ = sent[3] += 1024;
    else if (values[i].field == 138 && values[i].scope == 1) values[i].value.ull_ = sent[1] += 512; /* the first link does not say */
    else values[i].code = NOT_SUPPORTED;
  }
  return state(gpu);
}

static int list(device *gpu, u *count, process *out, u from, u to) {
  u known[2], all = pids(known), room = *count;
  if (to > all) to = all;
  if (gpu->index == 2) to = from; /* nobody is on the first instance */
  if (gpu->index == 3 && to > 1) to = 1;
  *count = to > from ? to - from : 0;
  if (*count == 0) return state(gpu);
  if (out == NULL || room < *count) return state(gpu) ? state(gpu) : SMALL;
  for (u i = from; i < to; i++) {
    process one = {known[i], i ? ~0ULL : 1ULL << 30, mig() ? 2 : ~0U, mig() ? 0 : ~0U}; /* the second one's memory is hidden */
    out[i - from] = one;
  }
  return state(gpu);
}
int nvmlDeviceGetComputeRunningProcesses_v3(device *gpu, u *count, process *out) { return list(gpu, count, out, 0, 2); }
int nvmlDeviceGetGraphicsRunningProcesses_v3(device *gpu, u *count, process *out) { return list(gpu, count, out, 0, 1); }
int nvmlDeviceGetProcessUtilization(device *gpu, sample *out, u *count, ull since) {
  u known[2], all = pids(known);
  (void)since;
  if (mig() || all == 0) return NOT_FOUND;
  if (out == NULL) { *count = all; return SMALL; }
  for (u i = 0; i < all; i++) { sample one = {known[i], 1 + i, 30 + i, 4, 0, 0}; out[i] = one; }
  *count = all;
  return state(gpu);
}

int nvmlDeviceGetMigMode(device *gpu, u *now, u *next) { *now = *next = (u)mig(); return state(gpu); }
int nvmlDeviceGetMaxMigDeviceCount(device *gpu, u *count) { *count = 7; return state(gpu); }
int nvmlDeviceGetMigDeviceHandleByIndex(device *gpu, u index, device **out) {
  if (index > 1) return NOT_FOUND;
  *out = &devices[2 + index];
  return state(gpu);
}
int nvmlDeviceGetGpuInstanceId(device *gpu, u *out) { *out = (u)gpu->index - 1; return state(gpu); }
int nvmlDeviceGetComputeInstanceId(device *gpu, u *out) { *out = 0; return state(gpu); }
int nvmlDeviceGetAttributes_v2(device *gpu, attributes *out) { memset(out, 0, sizeof *out); out->multiprocessors = 16; return state(gpu); }
