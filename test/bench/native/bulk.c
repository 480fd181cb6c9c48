// Modes bulk-down and bulk-up: `bytes` in all, over `connections` at once, as fast as the server takes or
// gives them. So that the client costs less than the server, what it sends is sealed before the clock starts.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "session.h"

// What a frame has beyond its message: its header, RFC 4121's two and a confounder and a checksum, with room.
enum { MOST_OVERHEAD = 256 };

struct stream {
  struct session session;
  uint64_t bytes;
  // Octets of one message that is sent; 0: as large as a token can hold.
  size_t message;
  // What is to be sent.
  uint8_t *sealed;
  size_t sealed_size;
};

static void *download(void *argument) {
  struct stream *stream = argument;
  uint8_t wanted[8];
  store64(wanted, stream->bytes);
  send_message(&stream->session, wanted, sizeof wanted);
  receive_pattern(&stream->session, stream->bytes);
  uint8_t octet;
  if (recv(stream->session.fd, &octet, 1, 0) != 0) die("more came than was asked for");
  return NULL;
}

static void *seal(void *argument) {
  struct stream *stream = argument;
  const struct session *session = &stream->session;
  if (!is_sealed(session->level)) return NULL;
  size_t most = stream->message;
  if (most == 0) most = largest_message(session->context, is_confidential(session->level));
  stream->sealed = allocate((stream->bytes / most + 1) * (most + MOST_OVERHEAD));
  for (uint64_t done = 0; done < stream->bytes;) {
    size_t size = stream->bytes - done < most ? (size_t)(stream->bytes - done) : most;
    stream->sealed_size +=
        make_frame(session, pattern() + done % CHUNK, size, stream->sealed + stream->sealed_size);
    done += size;
  }
  return NULL;
}

static void *upload(void *argument) {
  struct stream *stream = argument;
  int fd = stream->session.fd;
  bool sent = true;
  if (stream->sealed != NULL) sent = write_full(fd, stream->sealed, stream->sealed_size);
  for (uint64_t left = stream->sealed == NULL ? stream->bytes : 0; sent && left > 0;) {
    size_t size = left < CHUNK ? (size_t)left : CHUNK;
    sent = write_full(fd, pattern(), size);
    left -= size;
  }
  if (!sent) die("send: %s", strerror(errno));
  shutdown(fd, SHUT_WR);
  uint8_t answer[8];
  receive_message(&stream->session, answer, sizeof answer);
  if (load64(answer) != stream->bytes) die("%llu octets came", (unsigned long long)load64(answer));
  return NULL;
}

static void bulk(const struct options *options, void *(*prepare)(void *), void *(*carry)(void *)) {
  int count = options->connections;
  struct initiator *initiators = begin_initiators(options, count);
  struct stream *streams = allocate((size_t)count * sizeof *streams);
  for (int i = 0; i < count; i++) {
    streams[i].session = open_session(options, initiators ? &initiators[i] : NULL, CMD_CONNECT, NULL);
    streams[i].bytes = options->bytes / (uint64_t)count;
    streams[i].message = (size_t)options->size;
  }
  if (prepare != NULL) in_parallel(prepare, streams, count, sizeof *streams);
  ready();
  double begin = now(), spent = cpu();
  in_parallel(carry, streams, count, sizeof *streams);
  double seconds = now() - begin;
  printf("{\"seconds\":%.6f,\"cpu\":%.6f,\"bytes\":%llu}\n", seconds, cpu() - spent,
         (unsigned long long)streams[0].bytes * (unsigned)count);
}

void bulk_down(const struct options *options) { bulk(options, NULL, download); }
void bulk_up(const struct options *options) { bulk(options, seal, upload); }
