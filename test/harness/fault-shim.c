/**
 * Faults of a file system, for `LD_PRELOAD`: among the calls that open, write, synchronise, rename or remove something below
 * the folder FAULT_FOLDER, the n-th fails, or ends the process. A program arms it by opening a path that does not exist,
 *
 *     /fault/N/ERRNO/LASTING     ERRNO 0: the process is killed there, in the middle of what it writes
 *
 * which also sets the count of calls to 0. LASTING 1: all later calls that would change the disk fail, too.
 * Opening /fault/count fails with the count of calls as its errno.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { kFiles = 4096 };
static atomic_int calls, at = -1, error, lasting;
static atomic_char watched[kFiles];

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

static int below(const char* path) {
  const char* folder = getenv("FAULT_FOLDER");
  return folder && path && strncmp(path, folder, strlen(folder)) == 0;
}

/** Whether the call is to fail, with errno set. `half` does half of it before the process is killed. */
static int fails(void (*half)(int, const void*, size_t), int file, const void* bytes, size_t length) {
  const int number = atomic_fetch_add(&calls, 1) + 1;
  if (at < 0 || (number != at && !(lasting && number > at))) return 0;
  if (error == 0) {
    if (half) half(file, bytes, length / 2);
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
  errno = error;
  return 1;
}

static void half_of(int file, const void* bytes, size_t length) { (void)!REAL(write)(file, bytes, length); }

static int is_watched(int file) { return file >= 0 && file < kFiles && watched[file]; }

static int commanded(const char* path) {
  int number, code, all;
  if (sscanf(path, "/fault/%d/%d/%d", &number, &code, &all) == 3) {
    error = code;
    lasting = all;
    calls = 0;
    at = number;
    errno = ENOENT;
    return 1;
  }
  if (strcmp(path, "/fault/count") != 0) return 0;
  errno = calls;
  return 1;
}

static int opened(int (*real)(const char*, int, ...), const char* path, int flags, mode_t mode) {
  if (commanded(path)) return -1;
  const int counts = below(path);
  if (counts && fails(NULL, 0, NULL, 0)) return -1;
  const int file = real(path, flags, mode);
  if (file >= 0 && file < kFiles) watched[file] = counts && (flags & O_ACCMODE) != O_RDONLY;
  return file;
}

static mode_t mode_of(int flags, va_list rest) { return flags & O_CREAT ? va_arg(rest, mode_t) : 0; }

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_of(flags, rest);
  va_end(rest);
  return opened(REAL(open), path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_of(flags, rest);
  va_end(rest);
  return opened(REAL(open64), path, flags, mode);
}

ssize_t write(int file, const void* bytes, size_t length) {
  if (is_watched(file) && fails(half_of, file, bytes, length)) return -1;
  return REAL(write)(file, bytes, length);
}

ssize_t pwrite64(int file, const void* bytes, size_t length, off64_t offset) {
  if (is_watched(file) && fails(NULL, 0, NULL, 0)) return -1;
  return REAL(pwrite64)(file, bytes, length, offset);
}

ssize_t writev(int file, const struct iovec* parts, int count) {
  if (is_watched(file) && fails(NULL, 0, NULL, 0)) return -1;
  return REAL(writev)(file, parts, count);
}

int fsync(int file) {
  if (is_watched(file) && fails(NULL, 0, NULL, 0)) return -1;
  return REAL(fsync)(file);
}

int rename(const char* from, const char* to) {
  if (below(to) && fails(NULL, 0, NULL, 0)) return -1;
  return REAL(rename)(from, to);
}

int unlink(const char* path) {
  if (below(path) && fails(NULL, 0, NULL, 0)) return -1;
  return REAL(unlink)(path);
}
