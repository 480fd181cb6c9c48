// Mode turns: sessions that are open side by side and carry something one after the other. Three steps, each
// begun by a line of standard input and told by one of JSON:
//   opened   `count` sessions, `connections` of them at a time; `rounds` times, all but the last ended again
//   carried  `bytes` in all, `size` of them down through each session in turn, as often through each
//   ended    by the client, whose end comes back from the destination
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "session.h"

static const struct options *options;
static struct initiator *initiators;
static struct session *sessions;
static atomic_int taken;
static int round_now;

static int next(void) {
  int index = atomic_fetch_add(&taken, 1);
  return index < options->count ? index : -1;
}

static void *open_next(void *argument) {
  for (int index; (index = next()) >= 0;) {
    struct initiator *initiator = initiators ? &initiators[round_now * options->count + index] : NULL;
    sessions[index] = open_session(options, initiator, CMD_CONNECT, NULL);
  }
  return argument;
}

// Nobody else has this thread's sessions: every one in `connections`.
static void *carry_own(void *argument) {
  int first = *(int *)argument;
  uint64_t turns_each = options->bytes / ((uint64_t)options->size * (uint64_t)options->count);
  uint8_t wanted[8];
  store64(wanted, (uint64_t)options->size);
  for (uint64_t turn = 0; turn < turns_each; turn++) {
    for (int i = first; i < options->count; i += options->connections) {
      send_message(&sessions[i], wanted, sizeof wanted);
      receive_pattern(&sessions[i], (uint64_t)options->size);
    }
  }
  return NULL;
}

static void *end_next(void *argument) {
  for (int index; (index = next()) >= 0;) {
    shutdown(sessions[index].fd, SHUT_WR);
    uint8_t octet;
    if (recv(sessions[index].fd, &octet, 1, 0) != 0) die("the destination's end did not come through");
    close_session(&sessions[index]);
  }
  return argument;
}

static void each(void *(*run)(void *)) {
  atomic_store(&taken, 0);
  in_parallel(run, sessions, options->connections, 0);
}

static void carry(void) {
  int *firsts = allocate((size_t)options->connections * sizeof *firsts);
  for (int i = 0; i < options->connections; i++) firsts[i] = i;
  in_parallel(carry_own, firsts, options->connections, sizeof *firsts);
  free(firsts);
}

static void tell(const char *step, double begin, double spent) {
  printf("{\"step\":\"%s\",\"seconds\":%.6f,\"cpu\":%.6f}\n", step, now() - begin, cpu() - spent);
  fflush(stdout);
}

void turns(const struct options *given) {
  options = given;
  initiators = begin_initiators(options, options->rounds * options->count);
  sessions = allocate((size_t)options->count * sizeof *sessions);
  ready();
  double begin = now(), spent = cpu();
  for (round_now = 0; round_now < options->rounds; round_now++) {
    if (round_now > 0) each(end_next);
    each(open_next);
  }
  tell("opened", begin, spent);

  wait_for_line();
  begin = now(), spent = cpu();
  carry();
  tell("carried", begin, spent);

  wait_for_line();
  begin = now(), spent = cpu();
  each(end_next);
  tell("ended", begin, spent);
}
