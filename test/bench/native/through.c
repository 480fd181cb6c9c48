// Mode through: a program that joins its standard input and output to a destination, as `gssocks connect` and
// nc do. Arguments: down|up BYTES COMMAND...; down is from the origin's source, up to its sink. An eighth is
// carried before the clock starts, for programs that compile while they run.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common.h"

struct program {
  pid_t pid;
  int input, output;
};

static struct program start_program(char **command) {
  int input[2], output[2];
  if (pipe(input) < 0 || pipe(output) < 0) die("pipe: %s", strerror(errno));
  pid_t pid = fork();
  if (pid < 0) die("fork: %s", strerror(errno));
  if (pid == 0) {
    dup2(input[0], 0);
    dup2(output[1], 1);
    for (int i = 0; i < 2; i++) {
      close(input[i]);
      close(output[i]);
    }
    execvp(command[0], command);
    die("%s: %s", command[0], strerror(errno));
  }
  close(input[0]);
  close(output[1]);
  return (struct program){pid, input[1], output[0]};
}

// Seconds that it was on a processor.
static double spent_by(const struct program *program) {
  clockid_t clock;
  struct timespec time;
  if (clock_getcpuclockid(program->pid, &clock) != 0 || clock_gettime(clock, &time) != 0)
    die("the command's clock can't be read");
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void write_all(int fd, const void *octets, size_t size) {
  const uint8_t *at = octets;
  while (size > 0) {
    ssize_t written = write(fd, at, size);
    if (written < 0) die("write: %s", strerror(errno));
    at += written;
    size -= (size_t)written;
  }
}

// From octet `from` of the pattern on, up to `to`.
static void take(const struct program *program, uint64_t from, uint64_t to) {
  static uint8_t buffer[CHUNK];
  while (from < to) {
    ssize_t got = read(program->output, buffer, to - from < CHUNK ? (size_t)(to - from) : CHUNK);
    if (got <= 0) die("the command's output ended after %llu octets", (unsigned long long)from);
    if (memcmp(buffer, pattern() + from % CHUNK, (size_t)got) != 0) die("octets that were not sent");
    from += (uint64_t)got;
  }
}

static void give(const struct program *program, uint64_t from, uint64_t to) {
  for (size_t size; from < to; from += size) {
    size = to - from < CHUNK ? (size_t)(to - from) : CHUNK;
    write_all(program->input, pattern() + from % CHUNK, size);
  }
}

static void end_program(struct program *program) {
  uint8_t octet;
  if (read(program->output, &octet, 1) != 0) die("more came than was asked for");
  int status;
  if (waitpid(program->pid, &status, 0) < 0 || status != 0) die("the command ended with %d", status);
}

void through(int argc, char **argv) {
  if (argc < 3) die("down or up, how much, and which command?");
  bool down = strcmp(argv[0], "down") == 0;
  uint64_t bytes = strtoull(argv[1], NULL, 10), before = bytes / 8;
  signal(SIGPIPE, SIG_IGN);
  struct program program = start_program(argv + 2);
  if (down) {
    uint8_t wanted[8];
    store64(wanted, bytes);
    write_all(program.input, wanted, sizeof wanted);
    take(&program, 0, before);
  } else {
    give(&program, 0, before);
  }
  ready();
  double begin = now(), spent = cpu(), command = spent_by(&program);
  if (down) {
    take(&program, before, bytes);
  } else {
    give(&program, before, bytes);
    close(program.input);
    uint8_t answer[8];
    for (size_t got = 0; got < sizeof answer;) {
      ssize_t more = read(program.output, answer + got, sizeof answer - got);
      if (more <= 0) die("the sink's answer did not come");
      got += (size_t)more;
    }
    if (load64(answer) != bytes) die("%llu octets came", (unsigned long long)load64(answer));
  }
  printf("{\"seconds\":%.6f,\"cpu\":%.6f,\"command\":%.6f,\"bytes\":%llu}\n", now() - begin, cpu() - spent,
         spent_by(&program) - command, (unsigned long long)(bytes - before));
  fflush(stdout);
  if (down) close(program.input);
  end_program(&program);
}
