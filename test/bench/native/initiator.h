// The client's side of a security context, by MIT's libgssapi and nothing of ours.
#pragma once

#include <gssapi/gssapi.h>

#include "common.h"

// A context whose first token is made and not sent yet.
struct initiator {
  gss_ctx_id_t context;
  gss_buffer_desc token;
};

void check_gss(const char *call, OM_uint32 major, OM_uint32 minor);

// Copies the credential cache into memory, where its tickets stay and no context opens a file. To be called
// once.
void prepare_initiators(const char *acceptor);
struct initiator begin_initiator(void);
// Takes the acceptor's token, which ends it.
void end_initiator(struct initiator *initiator, gss_buffer_t token);

// The largest message whose token has at most 65535 octets.
size_t largest_message(gss_ctx_id_t context, bool confidential);
// Writes the token to `output` (65535 octets of room); returns its size.
size_t wrap_to(gss_ctx_id_t context, bool confidential, const void *message, size_t size, uint8_t *output);
// Opens a token; checks its confidentiality where that is asked for. The message is the caller's to release.
gss_buffer_desc unwrap(gss_ctx_id_t context, bool confidential, const void *token, size_t size);
