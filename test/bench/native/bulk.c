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

struct stream {
  struct session session;
  uint64_t bytes;
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
  static __thread uint8_t token[65535];
  const struct session *session = &stream->session;
  uint64_t got = 0, tokens = 0;
  size_t overhead = 0;
  for (; got < stream->bytes; tokens++) {
    if (tokens % SAMPLE == 0) {
      size_t size = receive_token(session->fd, MTYP_DATA, token);
      overhead = check_token(session, token, size, got);
      got += size - overhead;
      continue;
    }
    uint8_t header[FRAME_HEADER];
    read_full(session->fd, header, sizeof header);
    size_t size = frame_length(header, MTYP_DATA);
    // The kernel throws it away.
    if (recv(session->fd, NULL, size, MSG_WAITALL | MSG_TRUNC) != (ssize_t)size)
      die("the stream ended in a token");
    got += size - overhead;
  }
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
  size_t most = largest_message(session->context, is_confidential(session->level));
  stream->sealed = allocate((stream->bytes / most + 1) * MAX_FRAME);
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
