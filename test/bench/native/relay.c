// Mode relay NAME=PORT...: what carrying costs at least. Each PORT of TCP (of UDP, if NAME is udp) gets a
// port of the relay's own; a connection there is joined to one to PORT by two threads that read and write.
// Until killed.
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common.h"

struct joint {
  int from, to;
};

static void *carry(void *argument) {
  struct joint *joint = argument;
  uint8_t buffer[CHUNK];
  for (ssize_t got; (got = recv(joint->from, buffer, sizeof buffer, 0)) > 0;)
    if (!write_full(joint->to, buffer, (size_t)got)) break;
  shutdown(joint->to, SHUT_WR);
  return NULL;
}

struct way {
  int listener, destination;
};

struct pair {
  int client, destination;
};

static void *join(void *argument) {
  struct pair *pair = argument;
  int destination = connect_tcp(pair->destination);
  struct joint both[2] = {{pair->client, destination}, {destination, pair->client}};
  in_parallel(carry, both, 2, sizeof *both);
  close(pair->client);
  close(destination);
  free(pair);
  return NULL;
}

static void *accept_all(void *argument) {
  struct way *way = argument;
  for (;;) {
    struct pair *pair = allocate(sizeof *pair);
    *pair = (struct pair){accept_tcp(way->listener), way->destination};
    detach(join, (intptr_t)pair);
  }
  return NULL;
}

// For one client: it is whoever sent last.
static struct sockaddr_in udp_client;
static int udp_inner, udp_outer;

static void *udp_up(void *argument) {
  (void)argument;
  uint8_t buffer[CHUNK];
  for (;;) {
    socklen_t length = sizeof udp_client;
    ssize_t got = recvfrom(udp_inner, buffer, sizeof buffer, 0, (struct sockaddr *)&udp_client, &length);
    if (got >= 0) send(udp_outer, buffer, (size_t)got, 0);
  }
  return NULL;
}

static void *udp_down(void *argument) {
  (void)argument;
  uint8_t buffer[CHUNK];
  for (;;) {
    ssize_t got = recv(udp_outer, buffer, sizeof buffer, 0);
    if (got >= 0)
      sendto(udp_inner, buffer, (size_t)got, 0, (struct sockaddr *)&udp_client, sizeof udp_client);
  }
  return NULL;
}

void relay(int argc, char **argv) {
  struct way *ways = allocate((size_t)argc * sizeof *ways);
  for (int i = 0; i < argc; i++) {
    char *equals = strchr(argv[i], '=');
    if (equals == NULL) die("not NAME=PORT: %s", argv[i]);
    *equals = '\0';
    int port = atoi(equals + 1);
    if (strcmp(argv[i], "udp") == 0) {
      udp_inner = bind_udp();
      udp_outer = connect_udp(port);
      detach(udp_up, 0);
      detach(udp_down, 0);
    } else {
      ways[i] = (struct way){listen_tcp(), port};
      detach(accept_all, (intptr_t)&ways[i]);
    }
    int own = strcmp(argv[i], "udp") == 0 ? udp_inner : ways[i].listener;
    printf("%s\"%s\":%d", i > 0 ? "," : "{", argv[i], local_port(own));
  }
  puts("}");
  fflush(stdout);
  for (;;) pause();
}
