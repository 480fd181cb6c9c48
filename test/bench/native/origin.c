// Mode origin: the destinations, each on a port of its own, until killed.
//   source  reads eight octets, a number, and sends as many octets of the pattern
//   sink    reads to the end without looking, and answers with their number in eight octets
//   echo    sends back what comes
//   bye     ends the connection at once
//   hold    keeps the connection until the other side ends it; one thread for all
//   turns   as source, again and again until the other side ends it; a few threads for all
//   udp     sends datagrams back
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common.h"

// As many as clients at a time.
enum { TURN_THREADS = 8 };

static void send_pattern(int fd, uint64_t octets) {
  for (size_t size; octets > 0; octets -= size) {
    size = octets < CHUNK ? (size_t)octets : CHUNK;
    if (!write_full(fd, pattern(), size)) return;
  }
}

static void *source(void *argument) {
  int fd = (int)(intptr_t)argument;
  uint8_t wanted[8];
  if (recv(fd, wanted, sizeof wanted, MSG_WAITALL) == sizeof wanted) send_pattern(fd, load64(wanted));
  close(fd);
  return NULL;
}

static void *sink(void *argument) {
  int fd = (int)(intptr_t)argument;
  uint64_t octets = 0;
  // The kernel throws them away: nothing is copied.
  for (ssize_t got; (got = recv(fd, NULL, 1 << 20, MSG_TRUNC)) > 0;) octets += (uint64_t)got;
  uint8_t answer[8];
  store64(answer, octets);
  write_full(fd, answer, sizeof answer);
  close(fd);
  return NULL;
}

static void *echo_back(void *argument) {
  int fd = (int)(intptr_t)argument;
  uint8_t buffer[CHUNK];
  for (ssize_t got; (got = recv(fd, buffer, sizeof buffer, 0)) > 0;)
    if (!write_full(fd, buffer, (size_t)got)) break;
  close(fd);
  return NULL;
}

static void *bye(void *argument) {
  for (;;) close(accept_tcp((int)(intptr_t)argument));
  return NULL;
}

static void *hold(void *argument) {
  int listener = (int)(intptr_t)argument;
  int poll = epoll_create1(0);
  struct epoll_event events[64] = {{.events = EPOLLIN, .data.fd = listener}};
  epoll_ctl(poll, EPOLL_CTL_ADD, listener, events);
  for (;;) {
    int count = epoll_wait(poll, events, 64, -1);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd != listener) {
        close(fd);
        continue;
      }
      int taken = accept_tcp(listener);
      struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.fd = taken};
      epoll_ctl(poll, EPOLL_CTL_ADD, taken, &event);
    }
  }
  return NULL;
}

struct turntable {
  int listener, poll;
};

// Each of its threads has whatever it was told of to itself (EPOLLONESHOT).
static void *take_turns(void *argument) {
  const struct turntable *table = argument;
  for (;;) {
    struct epoll_event event;
    if (epoll_wait(table->poll, &event, 1, -1) != 1) continue;
    int fd = event.data.fd;
    struct epoll_event again = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = fd};
    if (fd == table->listener) {
      struct epoll_event taken = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = accept_tcp(fd)};
      epoll_ctl(table->poll, EPOLL_CTL_ADD, taken.data.fd, &taken);
    } else {
      uint8_t wanted[8];
      if (recv(fd, wanted, sizeof wanted, MSG_WAITALL) != sizeof wanted) {
        close(fd);
        continue;
      }
      send_pattern(fd, load64(wanted));
    }
    epoll_ctl(table->poll, EPOLL_CTL_MOD, fd, &again);
  }
  return NULL;
}

static void *turns_service(void *argument) {
  static struct turntable table;
  table = (struct turntable){(int)(intptr_t)argument, epoll_create1(0)};
  struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = table.listener};
  epoll_ctl(table.poll, EPOLL_CTL_ADD, table.listener, &event);
  in_parallel(take_turns, &table, TURN_THREADS, 0);
  return NULL;
}

static void *udp_echo(void *argument) {
  int fd = (int)(intptr_t)argument;
  uint8_t buffer[CHUNK];
  for (;;) {
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    ssize_t got = recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &length);
    if (got >= 0) sendto(fd, buffer, (size_t)got, 0, (struct sockaddr *)&from, length);
  }
  return NULL;
}

struct service {
  int listener;
  void *(*serve)(void *);
};

static void *accept_all(void *argument) {
  struct service *service = argument;
  for (;;) detach(service->serve, accept_tcp(service->listener));
  return NULL;
}

void origin(void) {
  static struct service services[3] = {{0, source}, {0, sink}, {0, echo_back}};
  static const char *names[3] = {"source", "sink", "echo"};
  printf("{");
  for (int i = 0; i < 3; i++) {
    services[i].listener = listen_tcp();
    printf("\"%s\":%d,", names[i], local_port(services[i].listener));
    detach(accept_all, (intptr_t)&services[i]);
  }
  int leaver = listen_tcp(), holder = listen_tcp(), turns = listen_tcp(), datagrams = bind_udp();
  detach(bye, leaver);
  detach(hold, holder);
  detach(turns_service, turns);
  detach(udp_echo, datagrams);
  printf("\"bye\":%d,\"hold\":%d,\"turns\":%d,\"udp\":%d}\n", local_port(leaver), local_port(holder),
         local_port(turns), local_port(datagrams));
  fflush(stdout);
  for (;;) pause();
}
