// Mode echo: a message of `size` octets there and back, `count` times, one at a time. Timed from the first
// octet sent to the last received: sealing and opening are the client's own.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "session.h"

// At most, before the clock starts: a new session's first messages tell of compilers, not of work.
enum { WARM_UP = 500 };

static double round_trip(const struct session *session, const uint8_t *message, size_t size) {
  uint8_t frame[MAX_FRAME], back[CHUNK];
  bool sealed = is_sealed(session->level);
  size_t length = size;
  if (sealed) length = make_frame(session, message, size, frame);
  double begin = now();
  if (!write_full(session->fd, sealed ? frame : message, length)) die("send: %s", strerror(errno));
  if (sealed) {
    length = receive_token(session->fd, MTYP_DATA, frame);
  } else {
    read_full(session->fd, back, size);
  }
  double seconds = now() - begin;
  if (sealed) {
    gss_buffer_desc opened = unwrap(session->context, is_confidential(session->level), frame, length);
    if (opened.length != size) die("%zu octets came back", opened.length);
    memcpy(back, opened.value, size);
    OM_uint32 minor;
    gss_release_buffer(&minor, &opened);
  }
  if (memcmp(message, back, size) != 0) die("other octets came back");
  return seconds;
}

void echo(const struct options *options) {
  if (options->size > CHUNK / 2) die("too large");
  struct session session = open_session(options, begin_initiators(options, 1), CMD_CONNECT, NULL);
  double *seconds = allocate((size_t)options->count * sizeof *seconds);
  size_t size = (size_t)options->size;
  double begin = now();
  for (int i = 0; i < WARM_UP && now() - begin < options->seconds; i++)
    round_trip(&session, pattern() + i, size);
  ready();
  int count = 0;
  double spent = cpu();
  begin = now();
  do seconds[count] = round_trip(&session, pattern() + count % CHUNK, size);
  while (++count < options->count && now() - begin < options->seconds);
  printf("{\"cpu\":%.6f,\"count\":%d,", cpu() - spent, count);
  print_percentiles("", seconds, count);
  puts("}");
}
