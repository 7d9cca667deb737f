/* A stub of libnvidia-ml.so.1: virtual time, known power, failures on demand.

   The state is in a file that a test maps too (tests/measure/nvml/world.py mirrors the structs). Power is piecewise
   constant: watts[i] from at_s[i] on. Counter and sensors read it as on real cards: the counter is refreshed once per
   tick, and a sensor averages part of the time before its last refresh. Every call takes call_s of the virtual time.
   Written from NVML's public documentation for these tests; compiled with -DOLD_DRIVER it lacks the newer calls. */

#include <fcntl.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, GPU_IS_LOST = 15 };
enum { TRACE = 1 << 16, LOG = 1 << 16, FAULTS = 16, GPUS = 3, PIDS = 4 };

typedef struct { double period_s, averaging_s; } sensor;

typedef struct {
  char name[96], uuid[96], pci[32];
  int32_t mig_enabled, slice_of; /* slice_of: index of the whole card, -1 where this is one */
  sensor counter, instant, usage;
  double frozen_at_s, back_at_s;
  uint32_t sm_mhz, memory_mhz, temperature_c, locked_mhz, power_limit_mw, persistence, busy_percent, capability[2];
  uint64_t reasons, capped_ns, hot_ns;
  uint32_t compute_pids[PIDS], computes, graphics_pids[PIDS], graphics, mps_pids[PIDS], mps;
  uint32_t gpm, bus_bits;  /* gpm: the card counts what its parts do */
  double gpm_percent[5];   /* SM, occupancy, tensor, DRAM, FP32 */
  int32_t steps;
  double at_s[TRACE], watts[TRACE], joules[TRACE]; /* joules: up to at_s */
} gpu;

typedef struct { char call[64]; int32_t code, times; } fault; /* times < 0: for ever */

typedef struct {
  double now_s, call_s, lost_at_s;
  int32_t faults, calls;
  fault fault[FAULTS];
  double called_at_s[LOG];
  char driver[32], library[32];
  gpu gpus[GPUS];
} state;

static state *world;

void stub_attach(const char *path) {
  int file = open(path, O_RDWR);
  world = mmap(NULL, sizeof(state), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
}

unsigned long stub_size(void) { return sizeof(state); }

static int begin(const char *call) {
  if (world->calls < LOG) world->called_at_s[world->calls] = world->now_s;
  world->calls++;
  world->now_s += world->call_s;
  if (world->now_s >= world->lost_at_s) return GPU_IS_LOST;
  for (int i = 0; i < world->faults; i++) {
    fault *f = &world->fault[i];
    if (strcmp(f->call, call) || !f->times) continue;
    if (f->times > 0) f->times--;
    return f->code;
  }
  return SUCCESS;
}

#define BEGIN do { int code = begin(__func__); if (code) return code; } while (0)

static double energy_j(const gpu *g, double t) {
  int low = 0, high = g->steps;
  if (!high || t <= g->at_s[0]) return 0;
  while (high - low > 1) {
    int middle = (low + high) / 2;
    if (g->at_s[middle] <= t) low = middle; else high = middle;
  }
  return g->joules[low] + g->watts[low] * (t - g->at_s[low]);
}

static double mean_w(const gpu *g, sensor s) {
  double end = floor(world->now_s / s.period_s) * s.period_s;
  return (energy_j(g, end) - energy_j(g, end - s.averaging_s)) / s.averaging_s;
}

static double counter_j(const gpu *g) {
  sensor s = g->counter;
  double now = fmin(world->now_s, g->frozen_at_s), ticks = floor(now / s.period_s), joules = 0;
  if (s.averaging_s >= s.period_s) joules = energy_j(g, ticks * s.period_s);
  else for (double k = 1; k <= ticks; k++) /* a counter that looks at the end of each tick only */
    joules += (energy_j(g, k * s.period_s) - energy_j(g, k * s.period_s - s.averaging_s)) * s.period_s / s.averaging_s;
  return world->now_s >= g->back_at_s ? joules / 2 : joules + 1e6; /* since a driver load long ago */
}

int nvmlInitWithFlags(unsigned flags) {
  (void)flags;
  if (!world && getenv("NVML_STUB_STATE")) stub_attach(getenv("NVML_STUB_STATE"));
  if (!world) return 9;
  return begin(__func__);
}
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int code) { (void)code; return "an error of the stub"; }

static int put(const char *text, char *out, unsigned length) {
  snprintf(out, length, "%s", text);
  return SUCCESS;
}
int nvmlSystemGetDriverVersion(char *out, unsigned length) { BEGIN; return put(world->driver, out, length); }
int nvmlSystemGetNVMLVersion(char *out, unsigned length) { BEGIN; return put(world->library, out, length); }
int nvmlDeviceGetName(gpu *g, char *out, unsigned length) { BEGIN; return put(g->name, out, length); }
int nvmlDeviceGetUUID(gpu *g, char *out, unsigned length) { BEGIN; return put(g->uuid, out, length); }
int nvmlDeviceGetVbiosVersion(gpu *g, char *out, unsigned length) { (void)g; BEGIN; return put("96.00.5E.00.01", out, length); }

static int find(size_t offset, const char *key, gpu **out) {
  for (int i = 0; i < GPUS; i++)
    if (world->gpus[i].name[0] && !strcasecmp((char *)&world->gpus[i] + offset, key)) { *out = &world->gpus[i]; return SUCCESS; }
  return NOT_FOUND;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, gpu **out) { BEGIN; return find(offsetof(gpu, uuid), uuid, out); }
int nvmlDeviceGetHandleByPciBusId_v2(const char *pci, gpu **out) { BEGIN; return find(offsetof(gpu, pci), pci, out); }

typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char busId[32]; } pci_info;
int nvmlDeviceGetPciInfo_v3(gpu *g, pci_info *out) { BEGIN; memset(out, 0, sizeof *out); return put(g->pci, out->busId, 32); }

int nvmlDeviceIsMigDeviceHandle(gpu *g, unsigned *out) { BEGIN; *out = g->slice_of >= 0; return SUCCESS; }
int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(gpu *g, gpu **out) { BEGIN; *out = &world->gpus[g->slice_of]; return SUCCESS; }
int nvmlDeviceGetMigMode(gpu *g, unsigned *now, unsigned *pending) { BEGIN; *now = g->mig_enabled; *pending = !*now; return SUCCESS; }

int nvmlDeviceGetTotalEnergyConsumption(gpu *g, unsigned long long *out) { BEGIN; *out = llround(counter_j(g) * 1e3); return SUCCESS; }
int nvmlDeviceGetPowerUsage(gpu *g, unsigned *out) { BEGIN; *out = lround(mean_w(g, g->usage) * 1e3); return SUCCESS; }
int nvmlDeviceGetEnforcedPowerLimit(gpu *g, unsigned *out) { BEGIN; *out = g->power_limit_mw; return SUCCESS; }
int nvmlDeviceGetPowerManagementDefaultLimit(gpu *g, unsigned *out) { (void)g; BEGIN; *out = 400000; return SUCCESS; }

int nvmlDeviceGetClockInfo(gpu *g, int type, unsigned *out) { BEGIN; *out = type == 1 ? g->sm_mhz : g->memory_mhz; return SUCCESS; }
int nvmlDeviceGetMaxClockInfo(gpu *g, int type, unsigned *out) { (void)g; BEGIN; *out = type == 1 ? 1410 : 1215; return SUCCESS; }
int nvmlDeviceGetTemperature(gpu *g, int sensor, unsigned *out) { (void)sensor; BEGIN; *out = g->temperature_c; return SUCCESS; }
int nvmlDeviceGetPersistenceMode(gpu *g, int *out) { BEGIN; *out = g->persistence; return SUCCESS; }
int nvmlDeviceGetEccMode(gpu *g, int *now, int *pending) { (void)g; BEGIN; *now = 1; *pending = 0; return SUCCESS; }
int nvmlDeviceGetVirtualizationMode(gpu *g, unsigned long long *out) { (void)g; BEGIN; *out = 0; return SUCCESS; }
int nvmlDeviceGetCudaComputeCapability(gpu *g, int *major, int *minor) { BEGIN; *major = g->capability[0]; *minor = g->capability[1]; return SUCCESS; }
int nvmlDeviceGetUtilizationRates(gpu *g, unsigned out[2]) { BEGIN; out[0] = out[1] = g->busy_percent; return SUCCESS; }
int nvmlDeviceSetGpuLockedClocks(gpu *g, unsigned low, unsigned high) { (void)high; BEGIN; g->locked_mhz = low; return SUCCESS; }
int nvmlDeviceResetGpuLockedClocks(gpu *g) { BEGIN; g->locked_mhz = 0; return SUCCESS; }

int nvmlDeviceGetMemoryBusWidth(gpu *g, unsigned *out) { BEGIN; *out = g->bus_bits; return SUCCESS; }

#ifndef OLD_DRIVER
/* Counters of what the parts of a card do, between two samples (GPM). */
typedef struct { gpu *g; double at_s; } gpm_sample;
typedef struct { const char *shortName, *longName, *unit; } metric_info;
typedef struct { unsigned id; int code; double value; metric_info info; } metric;
typedef struct { unsigned version, count; gpm_sample *first, *second; metric metrics[]; } metrics_get;
typedef struct { unsigned version, supported; } gpm_support;

int nvmlGpmQueryDeviceSupport(gpu *g, gpm_support *out) { BEGIN; out->supported = g->gpm; return SUCCESS; }
int nvmlGpmSampleAlloc(gpm_sample **out) { BEGIN; *out = calloc(1, sizeof **out); return SUCCESS; }
int nvmlGpmSampleFree(gpm_sample *sample) { BEGIN; free(sample); return SUCCESS; }
int nvmlGpmSampleGet(gpu *g, gpm_sample *sample) {
  BEGIN;
  if (!g->gpm) return NOT_SUPPORTED;
  *sample = (gpm_sample){g, world->now_s};
  return SUCCESS;
}
int nvmlGpmMetricsGet(metrics_get *out) {
  BEGIN;
  if (out->version != 1 || out->second->at_s <= out->first->at_s) return INVALID_ARGUMENT;
  const unsigned ids[] = {2, 3, 5, 10, 12};
  for (unsigned i = 0; i < out->count; i++) {
    out->metrics[i].code = NOT_SUPPORTED;
    for (int j = 0; j < 5; j++)
      if (out->metrics[i].id == ids[j]) {
        out->metrics[i].code = SUCCESS;
        out->metrics[i].value = out->first->g->gpm_percent[j];
      }
  }
  return SUCCESS;
}

typedef struct { uint32_t field, scope; int64_t timestamp, latency; int32_t type, code; union { double d; uint32_t u; uint64_t ull; } value; } field;
enum { UNSIGNED_INT = 1, UNSIGNED_LONG_LONG = 3 };

int nvmlDeviceGetFieldValues(gpu *g, int count, field *out) {
  BEGIN;
  for (int i = 0; i < count; i++) {
    field *f = &out[i];
    char call[32];
    snprintf(call, sizeof call, "field %u", f->field);
    f->code = begin(call);
    f->type = f->field == 186 ? UNSIGNED_INT : UNSIGNED_LONG_LONG;
    f->value.ull = 0;
    if (f->field == 186) f->value.u = lround(mean_w(g, g->instant) * 1e3);
    else if (f->field == 74) f->value.ull = g->capped_ns;
    else if (f->field == 75) f->value.ull = g->hot_ns;
    else f->code = NOT_SUPPORTED;
  }
  return SUCCESS;
}

typedef struct { unsigned version; int sensor, temperature; } temperature;
int nvmlDeviceGetTemperatureV(gpu *g, temperature *out) { BEGIN; out->temperature = g->temperature_c; return SUCCESS; }
int nvmlDeviceGetCurrentClocksEventReasons(gpu *g, unsigned long long *out) { BEGIN; *out = g->reasons; return SUCCESS; }

typedef struct { unsigned pid; unsigned long long memory; unsigned instance, compute; } process;
static int list(const uint32_t *pids, unsigned n, unsigned *count, process *out) {
  unsigned room = *count;
  *count = n;
  if (n > room) return INSUFFICIENT_SIZE;
  for (unsigned i = 0; i < n; i++) out[i] = (process){pids[i], 1 << 20, 0, 0};
  return SUCCESS;
}
int nvmlDeviceGetComputeRunningProcesses_v3(gpu *g, unsigned *n, process *out) { BEGIN; return list(g->compute_pids, g->computes, n, out); }
int nvmlDeviceGetGraphicsRunningProcesses_v3(gpu *g, unsigned *n, process *out) { BEGIN; return list(g->graphics_pids, g->graphics, n, out); }
int nvmlDeviceGetMPSComputeRunningProcesses_v3(gpu *g, unsigned *n, process *out) { BEGIN; return list(g->mps_pids, g->mps, n, out); }
#endif
