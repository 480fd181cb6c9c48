// Mode crypto: what MIT's own gss_wrap and gss_unwrap cost in one process, for messages of `size` octets (0:
// as large as a token of 65535 octets can hold), `bytes` of them; and what `count` contexts cost, both ends
// of each.
#include <stdio.h>
#include <stdlib.h>

#include "initiator.h"

struct ends {
  gss_ctx_id_t initiator, acceptor;
};

static struct ends establish(gss_cred_id_t credential) {
  struct initiator initiator = begin_initiator();
  gss_ctx_id_t acceptor = GSS_C_NO_CONTEXT;
  gss_buffer_desc answer = GSS_C_EMPTY_BUFFER;
  OM_uint32 minor,
      major = gss_accept_sec_context(&minor, &acceptor, credential, &initiator.token,
                                     GSS_C_NO_CHANNEL_BINDINGS, NULL, NULL, &answer, NULL, NULL, NULL);
  check_gss("gss_accept_sec_context", major, minor);
  end_initiator(&initiator, &answer);
  gss_release_buffer(&minor, &answer);
  return (struct ends){initiator.context, acceptor};
}

static void discard(struct ends *ends) {
  OM_uint32 minor;
  gss_delete_sec_context(&minor, &ends->initiator, GSS_C_NO_BUFFER);
  gss_delete_sec_context(&minor, &ends->acceptor, GSS_C_NO_BUFFER);
}

static void measure(const char *name, struct ends *ends, bool confidential, size_t size, uint64_t bytes) {
  static uint8_t token[65535];
  double wrapping = 0, unwrapping = 0;
  uint64_t done = 0;
  for (; done < bytes; done += size) {
    double begin = cpu();
    size_t length = wrap_to(ends->acceptor, confidential, pattern(), size, token);
    double middle = cpu();
    gss_buffer_desc message = unwrap(ends->initiator, confidential, token, length);
    OM_uint32 minor;
    gss_release_buffer(&minor, &message);
    wrapping += middle - begin;
    unwrapping += cpu() - middle;
  }
  double messages = (double)done / (double)size;
  printf("\"%s\":{\"size\":%zu,\"wrap\":%.6f,\"unwrap\":%.6f,\"wrapMessage\":%.9f,\"unwrapMessage\":%.9f}",
         name, size, wrapping / (double)done * 1e9, unwrapping / (double)done * 1e9, wrapping / messages,
         unwrapping / messages);
}

void crypto(const struct options *options) {
  prepare_initiators(options->acceptor);
  gss_cred_id_t credential;
  OM_uint32 minor, major = gss_acquire_cred(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, GSS_C_NO_OID_SET,
                                            GSS_C_ACCEPT, &credential, NULL, NULL);
  check_gss("gss_acquire_cred", major, minor);
  struct ends ends = establish(credential);

  printf("{");
  for (int confidential = 0; confidential <= 1; confidential++) {
    size_t size = (size_t)options->size;
    if (size == 0) size = largest_message(ends.acceptor, confidential);
    measure(confidential ? "confidentiality" : "integrity", &ends, confidential, size, options->bytes);
    printf(",");
  }
  double begin = cpu();
  for (int i = 0; i < options->count; i++) {
    struct ends pair = establish(credential);
    discard(&pair);
  }
  printf("\"context\":%.9f}\n", (cpu() - begin) / options->count);
}
