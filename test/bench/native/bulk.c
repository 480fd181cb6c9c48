// Modes bulk-down and bulk-up: `bytes` in all, over `connections` at once, as fast as the server takes or
// gives them. So that the client costs less than the server, what it sends is sealed before the clock starts,
// and of what it gets one token in SAMPLE is opened and compared with the pattern; the lengths of all are
// counted.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "session.h"

enum { SAMPLE = 64 };

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

// Checks the token of a message that begins at `offset`; returns how much longer it is than the message.
static size_t check_token(const struct session *session, const uint8_t *token, size_t size, uint64_t offset) {
  gss_buffer_desc message = unwrap(session->context, is_confidential(session->level), token, size);
  if (memcmp(message.value, pattern() + offset % CHUNK, message.length) != 0)
    die("octets that were not sent");
  size_t overhead = size - message.length;
  OM_uint32 minor;
  gss_release_buffer(&minor, &message);
  return overhead;
}

static uint64_t receive_sealed(const struct stream *stream) {
  // Servers may cut a stream into small tokens: many are read at once.
  enum { ROOM = 4 * MAX_FRAME };
  uint8_t *buffer = allocate(ROOM);
  const struct session *session = &stream->session;
  uint64_t got = 0, tokens = 0;
  size_t overhead = 0, held = 0;
  while (got < stream->bytes) {
    ssize_t more = recv(session->fd, buffer + held, ROOM - held, 0);
    if (more <= 0) die("the stream ended after %llu octets", (unsigned long long)got);
    held += (size_t)more;
    size_t at = 0;
    for (size_t size; held - at >= FRAME_HEADER; at += FRAME_HEADER + size, tokens++) {
      size = frame_length(buffer + at, MTYP_DATA);
      if (held - at < FRAME_HEADER + size) break;
      if (tokens % SAMPLE == 0) overhead = check_token(session, buffer + at + FRAME_HEADER, size, got);
      got += size - overhead;
    }
    held -= at;
    memmove(buffer, buffer + at, held);
  }
  free(buffer);
  return got;
}

static uint64_t receive_clear(const struct stream *stream) {
  uint64_t got = 0;
  for (ssize_t more; (more = recv(stream->session.fd, NULL, 1 << 20, MSG_TRUNC)) > 0;) got += (uint64_t)more;
  return got;
}

static void *download(void *argument) {
  struct stream *stream = argument;
  uint8_t wanted[8];
  store64(wanted, stream->bytes);
  send_message(&stream->session, wanted, sizeof wanted);
  uint64_t got = is_sealed(stream->session.level) ? receive_sealed(stream) : receive_clear(stream);
  if (got != stream->bytes) die("%llu octets came", (unsigned long long)got);
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
