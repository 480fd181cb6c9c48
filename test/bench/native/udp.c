// Mode udp: `count` datagrams of `size` octets through an association to an origin that sends them back,
// WINDOW of them under way. What has not come back after a quarter of a second is lost.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "session.h"

enum { WINDOW = 32, UDP_HEADER = 10 };

struct association {
  const struct session *session;
  int fd;
  uint8_t datagram[UDP_HEADER + CHUNK];
  size_t size, header;
};

static void send_one(const struct association *association) {
  const struct session *session = association->session;
  uint8_t frame[MAX_FRAME];
  const uint8_t *octets = association->datagram;
  size_t length = association->size;
  if (is_sealed(session->level)) {
    length = make_frame(session, octets, length, frame);
    octets = frame;
  }
  if (send(association->fd, octets, length, 0) != (ssize_t)length) die("send: %s", strerror(errno));
}

static bool receive_one(const struct association *association) {
  const struct session *session = association->session;
  uint8_t octets[MAX_FRAME];
  ssize_t got = recv(association->fd, octets, sizeof octets, 0);
  if (got < 0 && errno == EAGAIN) return false;
  if (got < 0) die("recv: %s", strerror(errno));
  size_t size = (size_t)got;
  if (!is_sealed(session->level)) {
    if (size != association->size || memcmp(octets, association->datagram, size) != 0)
      die("another datagram came back");
    return true;
  }
  if (size < FRAME_HEADER) die("a datagram of %zu octets", size);
  frame_length(octets, MTYP_DATA);
  gss_buffer_desc opened =
      unwrap(session->context, is_confidential(session->level), octets + FRAME_HEADER, size - FRAME_HEADER);
  if (opened.length != association->size || memcmp(opened.value, association->datagram, opened.length) != 0)
    die("another datagram came back");
  OM_uint32 minor;
  gss_release_buffer(&minor, &opened);
  return true;
}

void udp(const struct options *options) {
  static struct association association;
  struct session session;
  if (options->level == LEVEL_DIRECT) {
    session = (struct session){.level = LEVEL_DIRECT};
    association.fd = connect_udp(options->connect);
  } else {
    session = open_session(options, begin_initiators(options, 1), CMD_UDP_ASSOCIATE, NULL);
    association.fd = connect_udp(session.bnd_port);
    association.header = UDP_HEADER;
    // To the origin, and in what comes back: from it.
    const uint8_t header[UDP_HEADER] = {
        0, 0, 0, 1, 127, 0, 0, 1, (uint8_t)(options->to >> 8), (uint8_t)options->to};
    memcpy(association.datagram, header, sizeof header);
  }
  if (options->size > CHUNK / 2) die("too large");
  association.session = &session;
  memcpy(association.datagram + association.header, pattern(), (size_t)options->size);
  association.size = association.header + (size_t)options->size;
  struct timeval patience = {.tv_usec = 250000};
  setsockopt(association.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);

  ready();
  double begin = now(), spent = cpu();
  int sent = 0, received = 0, lost = 0;
  while (received + lost < options->count) {
    for (; sent < options->count && sent - received - lost < WINDOW; sent++) send_one(&association);
    if (receive_one(&association))
      received += 1;
    else
      lost = sent - received;
  }
  double seconds = now() - begin;
  if (received == 0) die("no datagram came back");
  printf("{\"seconds\":%.6f,\"cpu\":%.6f,\"received\":%d,\"lost\":%d}\n", seconds, cpu() - spent, received,
         lost);
}
