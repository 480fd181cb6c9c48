// What a client gets of the pattern. So that it costs less than the server, one token in SAMPLE is opened and
// compared, and the first one; the lengths of all are counted.
#define _GNU_SOURCE
#include <string.h>
#include <sys/socket.h>

#include "session.h"

enum { SAMPLE = 64 };

// Servers may cut a stream into small tokens: many are read at once.
enum { ROOM = 4 * MAX_FRAME };

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

static uint64_t receive_sealed(const struct session *session, uint64_t bytes) {
  static _Thread_local uint8_t buffer[ROOM];
  uint64_t got = 0, tokens = 0;
  size_t overhead = 0, held = 0;
  while (got < bytes) {
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
  return got + held;
}

// Not looked at: the kernel throws them away.
static uint64_t receive_clear(const struct session *session, uint64_t bytes) {
  uint64_t got = 0;
  while (got < bytes) {
    size_t most = bytes - got < 1 << 20 ? (size_t)(bytes - got) : 1 << 20;
    ssize_t more = recv(session->fd, NULL, most, MSG_TRUNC);
    if (more <= 0) die("the stream ended after %llu octets", (unsigned long long)got);
    got += (uint64_t)more;
  }
  return got;
}

void receive_pattern(const struct session *session, uint64_t bytes) {
  uint64_t got = is_sealed(session->level) ? receive_sealed(session, bytes) : receive_clear(session, bytes);
  if (got != bytes) die("%llu octets came", (unsigned long long)got);
}
