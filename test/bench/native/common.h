// What all modes of the benchmarks' peer need. Every failure ends the program: a benchmark that went wrong
// has no result.
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Octets that move at once.
enum { CHUNK = 65536 };

// How the client comes through. `LEVEL_DIRECT`: no SOCKS at all, as to a relay; `LEVEL_CLEAR`: SOCKS without
// GSS.
enum level {
  LEVEL_DIRECT = -2,
  LEVEL_CLEAR = -1,
  LEVEL_NONE = 0,
  LEVEL_INTEGRITY = 1,
  LEVEL_CONFIDENTIALITY = 2
};

struct options {
  // Ports of 127.0.0.1: whom to connect to, and which origin to ask for.
  int connect, to;
  enum level level;
  int connections;
  // In all.
  uint64_t bytes;
  int count;
  int rounds;
  // At most.
  int seconds;
  // Of one message.
  int size;
  // The host of the acceptor's name, rcmd@host.
  const char *acceptor;
};

// Modes.
void origin(void);
void relay(int argc, char **argv);
void through(int argc, char **argv);
void crypto(const struct options *options);
void bulk_down(const struct options *options);
void bulk_up(const struct options *options);
void handshakes(const struct options *options);
void phases(const struct options *options);
void echo(const struct options *options);
void idle(const struct options *options);
void turns(const struct options *options);
void udp(const struct options *options);

_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
void *allocate(size_t size);

// Seconds: of the clock, and of this process on a processor.
double now(void);
double cpu(void);

// On 127.0.0.1; port 0 is one that the system picks.
int listen_tcp(void);
int bind_udp(void);
int local_port(int fd);
int accept_tcp(int listener);
int connect_tcp(int port);
int connect_udp(int port);
void read_full(int fd, void *buffer, size_t size);
// False at the end, or where the other side is gone.
bool write_full(int fd, const void *buffer, size_t size);

uint64_t load64(const uint8_t *from);
void store64(uint8_t *to, uint64_t value);

// Runs it once for each of `count` elements of `size` octets, each in a thread of its own, to the end of all.
void in_parallel(void *(*run)(void *), void *elements, int count, size_t size);
void detach(void *(*run)(void *), intptr_t argument);

// Says that all is prepared, and waits until told to go: what is measured begins there.
void ready(void);
// Waits for one more line, or the end of standard input.
void wait_for_line(void);

// Prints, as members of a JSON object, p50, p99 and p999 of what is given in seconds (which it sorts), in
// microseconds.
void print_percentiles(const char *name, double *seconds, int count);

// What the origin sends and a client expects: octet `i` of a stream is `pattern()[i % CHUNK]`. Two CHUNKs of
// it.
const uint8_t *pattern(void);
