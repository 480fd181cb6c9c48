// Modes about many sessions: handshakes (opened and closed, `connections` at once), phases (one after the
// other, each step timed) and idle (opened and kept, until a further line comes).
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "session.h"

static const struct options *options;
static struct initiator *initiators;
static atomic_int taken;

// The next session that nobody has opened, or -1.
static int next(void) {
  int index = atomic_fetch_add(&taken, 1);
  return index < options->count ? index : -1;
}

static struct session open_next(int index, struct steps *steps) {
  return open_session(options, initiators ? &initiators[index] : NULL, CMD_CONNECT, steps);
}

static void close_next(struct session *session) {
  uint8_t octet;
  if (recv(session->fd, &octet, 1, 0) != 0) die("the destination's end did not come through");
  close_session(session);
}

static void *open_and_close(void *argument) {
  for (int index; (index = next()) >= 0;) {
    struct session session = open_next(index, NULL);
    close_next(&session);
  }
  return argument;
}

static struct session *kept;

static void *open_and_keep(void *argument) {
  for (int index; (index = next()) >= 0;) kept[index] = open_next(index, NULL);
  return argument;
}

static void run(const struct options *given, void *(*open)(void *)) {
  options = given;
  initiators = begin_initiators(options, options->count);
  kept = allocate((size_t)options->count * sizeof *kept);
  ready();
  double begin = now(), spent = cpu();
  in_parallel(open, kept, options->connections, 0);
  double seconds = now() - begin;
  printf("{\"seconds\":%.6f,\"cpu\":%.6f,\"count\":%d}\n", seconds, cpu() - spent, options->count);
  fflush(stdout);
}

void handshakes(const struct options *given) { run(given, open_and_close); }

void idle(const struct options *given) {
  run(given, open_and_keep);
  wait_for_line();
}

void phases(const struct options *given) {
  options = given;
  initiators = begin_initiators(options, options->count);
  size_t size = (size_t)options->count * sizeof(double);
  double *method = allocate(size), *context = allocate(size), *level = allocate(size),
         *request = allocate(size), *all = allocate(size);
  ready();
  for (int i = 0; i < options->count; i++) {
    struct steps steps;
    struct session session = open_next(i, &steps);
    double opened = now();
    close_next(&session);
    // What a reply tells, the end has to tell where there is none.
    if (session.level == LEVEL_DIRECT) steps.request = now() - opened;
    method[i] = steps.method;
    context[i] = steps.context;
    level[i] = steps.level;
    request[i] = steps.request;
    all[i] = steps.method + steps.context + steps.level + steps.request;
  }
  const struct {
    const char *name;
    double *seconds;
  } arrays[] = {
      {"method_", method}, {"context_", context}, {"level_", level}, {"request_", request}, {"all_", all}};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
    printf(i > 0 ? "," : "{");
    print_percentiles(arrays[i].name, arrays[i].seconds, options->count);
  }
  puts("}");
}
