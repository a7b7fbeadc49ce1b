"""What the machine is doing: processors, memory, disks, network, GPUs, now and over the last thirty days."""
