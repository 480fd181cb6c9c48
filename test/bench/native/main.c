// bench-peer MODE [--OPTION VALUE]...: the client, the origin, the yardsticks of the benchmarks. See the
// modes' files. Results are one line of JSON. Whoever starts it stops it; forgotten, it ends by itself.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

// Seconds after which any mode ends.
enum { LIMIT = 1800 };

static enum level parse_level(const char *text) {
  static const char *names[] = {"direct", "clear", "none", "integrity", "confidentiality"};
  for (int i = 0; i < 5; i++)
    if (strcmp(text, names[i]) == 0) return (enum level)(LEVEL_DIRECT + i);
  die("no such level: %s", text);
}

static long long parse_number(const char *text) {
  char *end;
  long long number = strtoll(text, &end, 10);
  if (*text == '\0' || *end != '\0' || number < 0) die("not a number: %s", text);
  return number;
}

static struct options parse(int argc, char **argv) {
  struct options options = {.level = LEVEL_CONFIDENTIALITY,
                            .connections = 1,
                            .rounds = 1,
                            .seconds = LIMIT,
                            .acceptor = "localhost"};
  for (int i = 0; i < argc; i += 2) {
    const char *name = argv[i], *value = argv[i + 1];
    if (value == NULL) die("%s needs a value", name);
    if (strcmp(name, "--level") == 0)
      options.level = parse_level(value);
    else if (strcmp(name, "--acceptor") == 0)
      options.acceptor = value;
    else if (strcmp(name, "--bytes") == 0)
      options.bytes = (uint64_t)parse_number(value);
    else if (strcmp(name, "--connect") == 0)
      options.connect = (int)parse_number(value);
    else if (strcmp(name, "--to") == 0)
      options.to = (int)parse_number(value);
    else if (strcmp(name, "--connections") == 0)
      options.connections = (int)parse_number(value);
    else if (strcmp(name, "--count") == 0)
      options.count = (int)parse_number(value);
    else if (strcmp(name, "--rounds") == 0)
      options.rounds = (int)parse_number(value);
    else if (strcmp(name, "--seconds") == 0)
      options.seconds = (int)parse_number(value);
    else if (strcmp(name, "--size") == 0)
      options.size = (int)parse_number(value);
    else
      die("no such option: %s", name);
  }
  return options;
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*run)(const struct options *);
  } modes[] = {{"bulk-down", bulk_down}, {"bulk-up", bulk_up}, {"handshakes", handshakes},
               {"phases", phases},       {"idle", idle},       {"turns", turns},
               {"echo", echo},           {"udp", udp},         {"crypto", crypto}};
  if (argc < 2) die("which mode?");
  alarm(LIMIT);
  if (strcmp(argv[1], "origin") == 0) origin();
  if (strcmp(argv[1], "relay") == 0) relay(argc - 2, argv + 2);
  if (strcmp(argv[1], "through") == 0) {
    through(argc - 2, argv + 2);
    return 0;
  }
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    if (strcmp(argv[1], modes[i].name) != 0) continue;
    struct options options = parse(argc - 2, argv + 2);
    modes[i].run(&options);
    return 0;
  }
  die("no such mode: %s", argv[1]);
}
