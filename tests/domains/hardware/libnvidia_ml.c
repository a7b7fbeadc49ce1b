/* A stand-in for NVIDIA's library with two invented GPUs, so that the real Python binding runs where there is no GPU.
 * GPU 0 answers, except for its power (not supported) and its fan (this library lacks the function).
 * GPU 1 is lost. FAKE_NVML_INIT makes nvmlInit fail with that code. */
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, INVALID = 2, NOT_SUPPORTED = 3, LOST = 15 };
typedef struct { int index; } device;
typedef struct { unsigned int gpu, memory; } rates;
typedef struct { unsigned long long total, free, used; } memory;
static device devices[2] = {{0}, {1}};

int nvmlInitWithFlags(unsigned int flags) { (void)flags; const char *code = getenv("FAKE_NVML_INIT"); return code ? atoi(code) : SUCCESS; }
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { return SUCCESS; }
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = 2; return SUCCESS; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, device **handle) {
  if (index > 1) return INVALID;
  *handle = &devices[index];
  return SUCCESS;
}
static int state(device *gpu) { return gpu->index ? LOST : SUCCESS; }
int nvmlDeviceGetName(device *gpu, char *name, unsigned int size) { strncpy(name, "Invented GPU", size); return state(gpu); }
int nvmlDeviceGetUUID(device *gpu, char *uuid, unsigned int size) { strncpy(uuid, "GPU-fake-0", size); return state(gpu); }
int nvmlDeviceGetUtilizationRates(device *gpu, rates *out) { out->gpu = 42; out->memory = 7; return state(gpu); }
int nvmlDeviceGetMemoryInfo(device *gpu, memory *out) {
  out->total = 8ULL << 30; out->used = 2ULL << 30; out->free = 6ULL << 30;
  return state(gpu);
}
int nvmlDeviceGetTemperature(device *gpu, unsigned int sensor, unsigned int *out) { (void)sensor; *out = 61; return state(gpu); }
int nvmlDeviceGetPowerUsage(device *gpu, unsigned int *out) { (void)gpu; *out = 0; return NOT_SUPPORTED; }
int nvmlDeviceGetEnforcedPowerLimit(device *gpu, unsigned int *out) { *out = 300000; return state(gpu); }
int nvmlDeviceGetClockInfo(device *gpu, unsigned int kind, unsigned int *out) { (void)kind; *out = 1410; return state(gpu); }
