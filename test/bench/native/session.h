// A client's session through a SOCKS5 server (RFC 1928, RFC 1961), or straight to whoever listens.
#pragma once

#include "initiator.h"

enum { FRAME_HEADER = 4, MAX_FRAME = FRAME_HEADER + 65535 };
enum { CMD_CONNECT = 1, CMD_UDP_ASSOCIATE = 3 };
enum { MTYP_CONTEXT = 1, MTYP_LEVEL = 2, MTYP_DATA = 3 };

struct session {
  int fd;
  enum level level;
  gss_ctx_id_t context;
  // The reply's.
  int bnd_port;
};

// Seconds that each step took, from our message to the answer's last octet. What the client itself computes
// is not in them; connecting is in `method`.
struct steps {
  double method, context, level, request;
};

static inline bool is_gss(enum level level) { return level >= LEVEL_NONE; }
static inline bool is_sealed(enum level level) { return level >= LEVEL_INTEGRITY; }
static inline bool is_confidential(enum level level) { return level == LEVEL_CONFIDENTIALITY; }

// Contexts for so many sessions, their first tokens made; NULL where the level needs none.
struct initiator *begin_initiators(const struct options *options, int count);

// `initiator` as of begin_initiators, or NULL where the level needs none.
struct session open_session(const struct options *options, struct initiator *initiator, int cmd,
                            struct steps *steps);
void close_session(struct session *session);

// Writes a frame of the level to `output` (MAX_FRAME of room); returns its size.
size_t make_frame(const struct session *session, const void *message, size_t size, uint8_t *output);
// One frame, or where nothing is sealed the octets as they are.
void send_message(const struct session *session, const void *message, size_t size);
// Exactly one frame, which must hold `size` octets; or `size` octets where nothing is sealed.
void receive_message(const struct session *session, void *message, size_t size);
// Exactly so many octets of the pattern, from its beginning.
void receive_pattern(const struct session *session, uint64_t bytes);
// The next frame's token; returns its size.
size_t receive_token(int fd, int mtyp, uint8_t *token);
// The length in a frame's header, which is checked.
size_t frame_length(const uint8_t *header, int mtyp);
