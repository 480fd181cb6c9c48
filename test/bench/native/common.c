#define _GNU_SOURCE
#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("bench-peer: ", stderr);
  vfprintf(stderr, format, arguments);
  fputs("\n", stderr);
  va_end(arguments);
  exit(1);
}

void *allocate(size_t size) {
  void *memory = calloc(1, size > 0 ? size : 1);
  if (memory == NULL) die("no memory for %zu octets", size);
  return memory;
}

static double seconds(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

double now(void) { return seconds(CLOCK_MONOTONIC); }
double cpu(void) { return seconds(CLOCK_PROCESS_CPUTIME_ID); }

static struct sockaddr_in loopback(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static int bound(int type) {
  int fd = socket(AF_INET, type, 0);
  struct sockaddr_in address = loopback(0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0) die("bind: %s", strerror(errno));
  return fd;
}

int listen_tcp(void) {
  int fd = bound(SOCK_STREAM);
  if (listen(fd, SOMAXCONN) < 0) die("listen: %s", strerror(errno));
  return fd;
}

int bind_udp(void) { return bound(SOCK_DGRAM); }

int local_port(int fd) {
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  if (getsockname(fd, (struct sockaddr *)&address, &length) < 0) die("getsockname: %s", strerror(errno));
  return ntohs(address.sin_port);
}

static void no_delay(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int accept_tcp(int listener) {
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd >= 0) {
      no_delay(fd);
      return fd;
    }
    if (errno != EINTR && errno != ECONNABORTED) die("accept: %s", strerror(errno));
  }
}

static int connected(int type, int port) {
  int fd = socket(AF_INET, type, 0);
  struct sockaddr_in address = loopback(port);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
    die("connect to port %d: %s", port, strerror(errno));
  return fd;
}

int connect_tcp(int port) {
  int fd = connected(SOCK_STREAM, port);
  no_delay(fd);
  return fd;
}

int connect_udp(int port) { return connected(SOCK_DGRAM, port); }

void read_full(int fd, void *buffer, size_t size) {
  ssize_t got = recv(fd, buffer, size, MSG_WAITALL);
  if (got < 0) die("recv: %s", strerror(errno));
  if ((size_t)got != size) die("the stream ended where %zu octets were due", size);
}

bool write_full(int fd, const void *buffer, size_t size) {
  const uint8_t *at = buffer;
  while (size > 0) {
    ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
    if (sent < 0) return false;
    at += sent;
    size -= (size_t)sent;
  }
  return true;
}

uint64_t load64(const uint8_t *from) {
  uint64_t value = 0;
  for (int i = 0; i < 8; i++) value = value << 8 | from[i];
  return value;
}

void store64(uint8_t *to, uint64_t value) {
  for (int i = 7; i >= 0; i--, value >>= 8) to[i] = (uint8_t)value;
}

static pthread_t start(void *(*run)(void *), void *argument) {
  pthread_t thread;
  int error = pthread_create(&thread, NULL, run, argument);
  if (error != 0) die("pthread_create: %s", strerror(error));
  return thread;
}

void in_parallel(void *(*run)(void *), void *elements, int count, size_t size) {
  pthread_t *threads = allocate((size_t)count * sizeof *threads);
  for (int i = 0; i < count; i++) threads[i] = start(run, (char *)elements + (size_t)i * size);
  for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
  free(threads);
}

void detach(void *(*run)(void *), intptr_t argument) { pthread_detach(start(run, (void *)argument)); }

void ready(void) {
  puts("ready");
  fflush(stdout);
  wait_for_line();
}

void wait_for_line(void) {
  int octet;
  do octet = getchar();
  while (octet != '\n' && octet != EOF);
}

static int ascending(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

void print_percentiles(const char *name, double *seconds, int count) {
  static const struct {
    const char *name;
    double rank;
  } wanted[] = {{"p50", 0.5}, {"p99", 0.99}, {"p999", 0.999}};
  qsort(seconds, (size_t)count, sizeof *seconds, ascending);
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
    int index = (int)(wanted[i].rank * (double)count);
    if (index >= count) index = count - 1;
    printf("%s\"%s%s\":%.2f", i > 0 ? "," : "", name, wanted[i].name, seconds[index] * 1e6);
  }
}

static uint8_t blocks[2 * CHUNK];

static void fill(void) {
  uint32_t state = 1;
  for (int i = 0; i < CHUNK; i++) {
    state = state * 1664525 + 1013904223;
    blocks[i] = blocks[CHUNK + i] = (uint8_t)(state >> 24);
  }
}

const uint8_t *pattern(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, fill);
  return blocks;
}
