/* The limit: what training a 2-2-1 ReLU network on four rows costs in C, one network or many side by side.
 *
 * Compiled with
 *
 *     cc -O3 -march=native -ffast-math -fopenmp-simd -DBLOCK=16 -o limit limit.c -lm
 *
 * and called as
 *
 *     limit NETWORKS EPOCHS LOG_EVERY LEARNING_RATE RUNS < numbers > result.json
 *
 * NETWORKS is 1, or a multiple of BLOCK, the number of networks that share the processor's SIMD lanes. Standard input
 * holds the numbers as text: four rows of x, the four targets, then nine parameters a network. The result is
 * {"seconds": [one a run], "losses": [each network's last recorded one], "params": [nine a network]}.
 *
 * What the compiled JAX program does not know beforehand is not known to the compiler here either: the rows, targets,
 * parameters and number of epochs (and the learning rate) arrive at run time, and noipa keeps the compiler from making
 * a copy of a function for the arguments it is called with. Gradient descent, the mean cross-entropy of the logit, and
 * its record every LOG_EVERY epochs are those of model/training/full_batch.py. One network is no faster with its four rows in SIMD
 * lanes.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef BLOCK
#define BLOCK 16
#endif

enum { ROWS = 4, PARAMETERS = 9 };

/* The order of init_params: weight [2, 2] and bias [2], then weight [2, 1] and bias [1]. */
enum { W00, W01, W10, W11, B0, B1, V0, V1, C };

/* The parameters of one network among `lanes` that lie side by side: parameter k is p[k * lanes]. */
#define P(k) p[(k) * lanes]

/* One epoch: the gradient, summed over the rows, and the update. */
static inline void step(float *p, int lanes, const float x[ROWS][2], const float y[ROWS], float rate) {
  float g[PARAMETERS] = {0};
#pragma GCC unroll 4
  for (int r = 0; r < ROWS; r++) {
    float z0 = P(B0) + x[r][0] * P(W00) + x[r][1] * P(W10), a0 = fmaxf(z0, 0);
    float z1 = P(B1) + x[r][0] * P(W01) + x[r][1] * P(W11), a1 = fmaxf(z1, 0);
    float delta = 1 / (1 + expf(-(P(C) + a0 * P(V0) + a1 * P(V1)))) - y[r];
    float delta0 = z0 > 0 ? delta * P(V0) : 0;
    float delta1 = z1 > 0 ? delta * P(V1) : 0;
    g[W00] += x[r][0] * delta0, g[W01] += x[r][0] * delta1;
    g[W10] += x[r][1] * delta0, g[W11] += x[r][1] * delta1;
    g[B0] += delta0, g[B1] += delta1;
    g[V0] += a0 * delta, g[V1] += a1 * delta;
    g[C] += delta;
  }
  for (int k = 0; k < PARAMETERS; k++) P(k) -= rate / ROWS * g[k];
}

/* The mean over the rows of the cross-entropy, max(z, 0) - z y + log(1 + exp(-|z|)). */
static inline float loss(const float *p, int lanes, const float x[ROWS][2], const float y[ROWS]) {
  float sum = 0;
#pragma GCC unroll 4
  for (int r = 0; r < ROWS; r++) {
    float a0 = fmaxf(P(B0) + x[r][0] * P(W00) + x[r][1] * P(W10), 0);
    float a1 = fmaxf(P(B1) + x[r][0] * P(W01) + x[r][1] * P(W11), 0);
    float z = P(C) + a0 * P(V0) + a1 * P(V1);
    sum += fmaxf(z, 0) - z * y[r] + logf(1 + expf(-fabsf(z)));
  }
  return sum / ROWS;
}

/* One network; losses [records]. */
__attribute__((noipa)) static void train_one(const float x[restrict ROWS][2], const float y[restrict ROWS],
                                             float params[restrict PARAMETERS], float losses[restrict], int records,
                                             int log_every, float rate) {
  float p[PARAMETERS];
  memcpy(p, params, sizeof p);
  for (int record = 0; record < records; record++) {
    for (int epoch = 0; epoch < log_every; epoch++) step(p, 1, x, y, rate);
    losses[record] = loss(p, 1, x, y);
  }
  memcpy(params, p, sizeof p);
}

/* A block of networks, one a lane, from the first epoch to the last; losses [records][BLOCK]. */
__attribute__((noipa)) static void train_block(const float x[restrict ROWS][2], const float y[restrict ROWS],
                                               float params[restrict PARAMETERS][BLOCK],
                                               float losses[restrict][BLOCK], int records, int log_every, float rate) {
  float p[PARAMETERS][BLOCK];
  memcpy(p, params, sizeof p);
  for (int record = 0; record < records; record++) {
    for (int epoch = 0; epoch < log_every; epoch++) {
#pragma omp simd
      for (int lane = 0; lane < BLOCK; lane++) step(&p[0][lane], BLOCK, x, y, rate);
    }
#pragma omp simd
    for (int lane = 0; lane < BLOCK; lane++) losses[record][lane] = loss(&p[0][lane], BLOCK, x, y);
  }
  memcpy(params, p, sizeof p);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

static void *allocate(size_t count) {
  void *memory = calloc(count, sizeof(float));
  if (!memory) exit(1);
  return memory;
}

static void read_numbers(float *numbers, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (scanf("%f", &numbers[i]) != 1) exit(2);
}

static void print_numbers(const char *name, const float *numbers, size_t count) {
  printf(", \"%s\": [", name);
  for (size_t i = 0; i < count; i++) printf("%s%.9g", i ? ", " : "", numbers[i]);
  printf("]");
}

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  int networks = atoi(argv[1]), epochs = atoi(argv[2]), log_every = atoi(argv[3]), runs = atoi(argv[5]);
  float rate = strtof(argv[4], NULL);
  int lanes = networks == 1 ? 1 : BLOCK, blocks = networks / lanes, records = epochs / log_every;
  if (networks % lanes || records < 1) return 2;

  size_t count = (size_t)networks * PARAMETERS, recorded = (size_t)records * networks;
  float (*x)[2] = allocate(ROWS * 2), *y = allocate(ROWS), *start = allocate(count), *params = allocate(count);
  float *losses = allocate(recorded), *last = allocate(networks), *trained = allocate(count);
  read_numbers(x[0], ROWS * 2);
  read_numbers(y, ROWS);
  read_numbers(start, count);

  printf("{\"seconds\": [");
  for (int run = 0; run < runs; run++) {
    /* [networks][9] -> [blocks][9][lanes] */
    for (int i = 0; i < networks; i++)
      for (int k = 0; k < PARAMETERS; k++)
        params[(i / lanes * PARAMETERS + k) * lanes + i % lanes] = start[i * PARAMETERS + k];
    double started = now();
    for (int block = 0; block < blocks; block++) {
      float *block_params = params + block * PARAMETERS * lanes, *block_losses = losses + block * records * lanes;
      if (networks == 1)
        train_one(x, y, block_params, block_losses, records, log_every, rate);
      else
        train_block(x, y, (float(*)[BLOCK])block_params, (float(*)[BLOCK])block_losses, records, log_every, rate);
    }
    printf("%s%.9f", run ? ", " : "", now() - started);
  }
  printf("]");
  for (int i = 0; i < networks; i++) {
    last[i] = losses[((i / lanes + 1) * records - 1) * lanes + i % lanes];
    for (int k = 0; k < PARAMETERS; k++)
      trained[i * PARAMETERS + k] = params[(i / lanes * PARAMETERS + k) * lanes + i % lanes];
  }
  print_numbers("losses", last, networks);
  print_numbers("params", trained, count);
  printf("}\n");
}
