#include "session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void send_all(int fd, const void *octets, size_t size) {
  if (!write_full(fd, octets, size)) die("send: %s", strerror(errno));
}

static void send_frame(int fd, int mtyp, const void *token, size_t size) {
  uint8_t frame[MAX_FRAME] = {1, (uint8_t)mtyp, (uint8_t)(size >> 8), (uint8_t)size};
  memcpy(frame + FRAME_HEADER, token, size);
  send_all(fd, frame, FRAME_HEADER + size);
}

size_t frame_length(const uint8_t *header, int mtyp) {
  if (header[0] != 1 || header[1] != mtyp)
    die("a frame begins %02x %02x, mtyp %d was due", header[0], header[1], mtyp);
  return (size_t)header[2] << 8 | header[3];
}

size_t receive_token(int fd, int mtyp, uint8_t *token) {
  uint8_t header[FRAME_HEADER];
  read_full(fd, header, 2);
  if (header[1] == 0xff) die("the server aborted");
  read_full(fd, header + 2, 2);
  size_t size = frame_length(header, mtyp);
  read_full(fd, token, size);
  return size;
}

size_t make_frame(const struct session *session, const void *message, size_t size, uint8_t *output) {
  size_t length =
      wrap_to(session->context, is_confidential(session->level), message, size, output + FRAME_HEADER);
  output[0] = 1;
  output[1] = MTYP_DATA;
  output[2] = (uint8_t)(length >> 8);
  output[3] = (uint8_t)length;
  return FRAME_HEADER + length;
}

void send_message(const struct session *session, const void *message, size_t size) {
  if (!is_sealed(session->level)) return send_all(session->fd, message, size);
  uint8_t frame[MAX_FRAME];
  send_all(session->fd, frame, make_frame(session, message, size, frame));
}

void receive_message(const struct session *session, void *message, size_t size) {
  if (!is_sealed(session->level)) return read_full(session->fd, message, size);
  uint8_t token[65535];
  size_t length = receive_token(session->fd, MTYP_DATA, token);
  gss_buffer_desc opened = unwrap(session->context, is_confidential(session->level), token, length);
  if (opened.length != size) die("a message of %zu octets, %zu were due", opened.length, size);
  memcpy(message, opened.value, size);
  OM_uint32 minor;
  gss_release_buffer(&minor, &opened);
}

struct initiator *begin_initiators(const struct options *options, int count) {
  if (!is_gss(options->level)) return NULL;
  prepare_initiators(options->acceptor);
  struct initiator *all = allocate((size_t)count * sizeof *all);
  for (int i = 0; i < count; i++) all[i] = begin_initiator();
  return all;
}

static double since(double *moment) {
  double before = *moment;
  *moment = now();
  return *moment - before;
}

static void authenticate(struct session *session, struct initiator *initiator, struct steps *steps) {
  uint8_t token[65535];
  double moment = now();
  send_frame(session->fd, MTYP_CONTEXT, initiator->token.value, initiator->token.length);
  gss_buffer_desc answer = {receive_token(session->fd, MTYP_CONTEXT, token), token};
  steps->context = since(&moment);
  end_initiator(initiator, &answer);
  session->context = initiator->context;

  uint8_t level = (uint8_t)session->level;
  size_t size = wrap_to(session->context, false, &level, 1, token);
  moment = now();
  send_frame(session->fd, MTYP_LEVEL, token, size);
  size = receive_token(session->fd, MTYP_LEVEL, token);
  steps->level = since(&moment);
  gss_buffer_desc agreed = unwrap(session->context, false, token, size);
  if (agreed.length != 1 || *(uint8_t *)agreed.value != level)
    die("another level than %d was agreed on", level);
  OM_uint32 minor;
  gss_release_buffer(&minor, &agreed);
}

static void request(struct session *session, int cmd, int to, struct steps *steps) {
  uint8_t message[10] = {5, (uint8_t)cmd, 0, 1, 127, 0, 0, 1, (uint8_t)(to >> 8), (uint8_t)to};
  // RFC 1928 §7: all zeros, where the client does not know whence it will send.
  if (cmd == CMD_UDP_ASSOCIATE) memset(message + 4, 0, 6);
  uint8_t reply[10];
  double moment = now();
  send_message(session, message, sizeof message);
  receive_message(session, reply, sizeof reply);
  steps->request = since(&moment);
  if (reply[0] != 5 || reply[1] != 0 || reply[3] != 1) die("the reply is %02x %02x", reply[0], reply[1]);
  session->bnd_port = reply[8] << 8 | reply[9];
}

struct session open_session(const struct options *options, struct initiator *initiator, int cmd,
                            struct steps *steps) {
  struct steps unwanted;
  if (steps == NULL) steps = &unwanted;
  *steps = (struct steps){0};
  struct session session = {.level = options->level, .context = GSS_C_NO_CONTEXT};
  double moment = now();
  session.fd = connect_tcp(options->connect);
  if (session.level == LEVEL_DIRECT) {
    steps->method = since(&moment);
    return session;
  }
  uint8_t method = is_gss(session.level) ? 1 : 0, answer[2];
  send_all(session.fd, (uint8_t[]){5, 1, method}, 3);
  read_full(session.fd, answer, sizeof answer);
  steps->method = since(&moment);
  if (answer[0] != 5 || answer[1] != method) die("method %d was refused", method);
  if (initiator != NULL) authenticate(&session, initiator, steps);
  request(&session, cmd, options->to, steps);
  return session;
}

void close_session(struct session *session) {
  OM_uint32 minor;
  close(session->fd);
  gss_delete_sec_context(&minor, &session->context, GSS_C_NO_BUFFER);
}
