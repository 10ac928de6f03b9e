// A proxy on loopback that delays what clients send by a fixed time, so that each request takes that much longer, whatever
// the protocol: a network's latency without one. Answers go back at once. One thread, epoll. Built and run by
// delay_proxy.py.
//
//     delay_proxy SERVER_PORT MILLISECONDS     prints its own port, and serves until it is killed
//     delay_proxy answer BYTES                 instead a server that answers each request with so many bytes, to measure with
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 256 << 10 };

// One direction's end of a connection; `peer` is the other one.
struct end {
  int descriptor, is_client, is_closed, is_paused, reads_ended;
  int ends;                                // nothing comes after the rest
  struct end *peer;
  unsigned waiting;                        // pieces of the queue that are to be written here
  char *rest;                              // what this end would not take yet
  size_t rest_at, rest_count, rest_room;
  struct end *next_free;
};

// Bytes of a client, and when they go on; a count of 0 is the end of what it sends.
struct piece {
  uint64_t due;
  struct end *to;
  size_t count;
  struct piece *next;
  char bytes[];
};

static struct piece *first, *last;
static struct end *gone;
static int poll_set, clock_set = -1, answer_bytes = -1;
static uint64_t delay, armed;
static char buffer[ROOM];

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void arm(void) {
  uint64_t due = first ? first->due : 0;
  if (due == armed) return;
  armed = due;
  struct itimerspec when = {{0, 0}, {(time_t)(due / 1000000000), (long)(due % 1000000000)}};
  if (timerfd_settime(clock_set, TFD_TIMER_ABSTIME, &when, NULL)) fail("timerfd_settime");
}

static void watch(struct end *end, int adds) {
  struct epoll_event event = {0};
  event.data.ptr = end;
  event.events = (end->is_paused || end->reads_ended ? 0 : EPOLLIN) | (end->rest_count ? EPOLLOUT : 0);
  if (epoll_ctl(poll_set, adds ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, end->descriptor, &event)) fail("epoll_ctl");
}

static struct end *opened(int descriptor, int is_client) {
  struct end *end = calloc(1, sizeof *end);
  if (!end) fail("calloc");
  int one = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  end->descriptor = descriptor;
  end->is_client = is_client;
  return end;
}

static void close_end(struct end *end) {
  if (end->is_closed) return;
  end->is_closed = 1;
  close(end->descriptor);
  free(end->rest);
  end->rest = NULL;
  end->rest_count = 0;
  // Events and pieces that name it may be on their way: it goes after both.
  end->next_free = gone;
  gone = end;
}

static void close_both(struct end *end) {
  if (end->peer) close_end(end->peer);
  close_end(end);
}

static void release(void) {
  struct end *kept = NULL;
  while (gone) {
    struct end *end = gone;
    gone = end->next_free;
    if (end->waiting) {
      end->next_free = kept;
      kept = end;
    } else {
      if (end->peer) end->peer->peer = NULL;
      free(end);
    }
  }
  gone = kept;
}

// Writes what the other side takes, and keeps the rest.
static void put(struct end *to, const char *bytes, size_t count) {
  while (count > 0 && to->rest_count == 0) {
    ssize_t done = send(to->descriptor, bytes, count, MSG_NOSIGNAL);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0 && errno == EAGAIN) break;
    if (done < 0) return close_both(to);
    bytes += done;
    count -= (size_t)done;
  }
  if (count == 0) return;
  if (to->rest_at + to->rest_count + count > to->rest_room) {
    memmove(to->rest, to->rest + to->rest_at, to->rest_count);
    to->rest_at = 0;
    to->rest_room = 2 * (to->rest_count + count);
    if (!(to->rest = realloc(to->rest, to->rest_room))) fail("realloc");
  }
  memcpy(to->rest + to->rest_at + to->rest_count, bytes, count);
  to->rest_count += count;
  if (to->peer) {
    to->peer->is_paused = 1;
    if (!to->peer->is_closed) watch(to->peer, 0);
  }
  watch(to, 0);
}

static void put_rest(struct end *to) {
  while (to->rest_count > 0) {
    ssize_t done = send(to->descriptor, to->rest + to->rest_at, to->rest_count, MSG_NOSIGNAL);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0 && errno == EAGAIN) return;
    if (done < 0) return close_both(to);
    to->rest_at += (size_t)done;
    to->rest_count -= (size_t)done;
  }
  to->rest_at = 0;
  if (to->ends) shutdown(to->descriptor, SHUT_WR);
  if (answer_bytes < 0 && (!to->peer || to->peer->is_closed)) return close_end(to);
  watch(to, 0);
  if (to->peer) {
    to->peer->is_paused = 0;
    watch(to->peer, 0);
  }
}

static void later(struct end *to, const char *bytes, size_t count) {
  struct piece *piece = malloc(sizeof *piece + count);
  if (!piece) fail("malloc");
  *piece = (struct piece){now() + delay, to, count, NULL};
  memcpy(piece->bytes, bytes, count);
  to->waiting++;
  if (last) last->next = piece;
  else first = piece;
  last = piece;
}

static void go_on(void) {
  for (uint64_t t = now(); first && first->due <= t;) {
    struct piece *piece = first;
    first = piece->next;
    if (!first) last = NULL;
    piece->to->waiting--;
    if (!piece->to->is_closed) {
      if (piece->count) put(piece->to, piece->bytes, piece->count);
      else if (piece->to->rest_count) piece->to->ends = 1;
      else shutdown(piece->to->descriptor, SHUT_WR);
    }
    free(piece);
  }
  arm();
}

// Answers every request that has come whole; a request has no body.
static void answer(struct end *end, const char *bytes, size_t count) {
  static char head[128];
  for (const char *at = bytes; (at = memmem(at, count - (size_t)(at - bytes), "\r\n\r\n", 4)); at += 4) {
    int length = snprintf(head, sizeof head, "HTTP/1.1 206 Partial Content\r\nContent-Length: %d\r\n\r\n", answer_bytes);
    memset(buffer + ROOM / 2, 'x', (size_t)answer_bytes);
    memcpy(buffer + ROOM / 2 - length, head, (size_t)length);
    put(end, buffer + ROOM / 2 - length, (size_t)(length + answer_bytes));
    if (end->is_closed) return;
  }
}

static void take(struct end *end) {
  ssize_t count = recv(end->descriptor, buffer, answer_bytes < 0 ? ROOM : ROOM / 4, 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count < 0) return close_both(end);
  if (answer_bytes >= 0) {
    if (count == 0) return close_end(end);
    return answer(end, buffer, (size_t)count);
  }
  if (!end->peer || end->peer->is_closed) return close_end(end);
  if (end->is_client) {
    later(end->peer, buffer, (size_t)count);
    if (count == 0) {
      end->reads_ended = 1;
      watch(end, 0);
    }
  } else if (count > 0) {
    put(end->peer, buffer, (size_t)count);
  } else {
    // The server has said all that it will.
    if (end->peer->rest_count == 0) close_both(end);
    else close_end(end);
  }
}

static void meet(int listener, int port) {
  for (int client; (client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
    struct end *one = opened(client, 1);
    if (answer_bytes < 0) {
      int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                               .sin_addr = {htonl(INADDR_LOOPBACK)}};
      if (server < 0 || connect(server, (struct sockaddr *)&to, sizeof to)) {
        if (server >= 0) close(server);
        close_end(one);
        continue;
      }
      fcntl(server, F_SETFL, O_NONBLOCK);
      one->peer = opened(server, 0);
      one->peer->peer = one;
      watch(one->peer, 1);
    }
    watch(one, 1);
  }
}

int main(int count, char **words) {
  if (count != 3) return fprintf(stderr, "delay_proxy SERVER_PORT MILLISECONDS\n"), 2;
  int port = atoi(words[1]);
  if (strcmp(words[1], "answer") == 0) answer_bytes = atoi(words[2]);
  else delay = (uint64_t)(atof(words[2]) * 1e6);
  if (answer_bytes > ROOM / 4 || (answer_bytes < 0 && port <= 0)) return fprintf(stderr, "no such server\n"), 2;
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) files.rlim_cur = files.rlim_max, setrlimit(RLIMIT_NOFILE, &files);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof own;
  if (listener < 0 || bind(listener, (struct sockaddr *)&own, size) || listen(listener, 1024)
      || getsockname(listener, (struct sockaddr *)&own, &size))
    fail("listening");
  poll_set = epoll_create1(EPOLL_CLOEXEC);
  clock_set = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  struct epoll_event events[256] = {{.events = EPOLLIN, .data.ptr = NULL}};
  if (poll_set < 0 || clock_set < 0 || epoll_ctl(poll_set, EPOLL_CTL_ADD, listener, events)) fail("epoll");
  events->data.ptr = &clock_set;
  if (epoll_ctl(poll_set, EPOLL_CTL_ADD, clock_set, events)) fail("epoll");
  printf("%d\n", ntohs(own.sin_port));
  fflush(stdout);
  for (;;) {
    int found = epoll_wait(poll_set, events, 256, -1);
    if (found < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < found; i++) {
      struct end *end = events[i].data.ptr;
      if (!end) meet(listener, port);
      else if ((void *)end == (void *)&clock_set) {
        uint64_t times;
        if (read(clock_set, &times, sizeof times) > 0) armed = 0;
      } else if (!end->is_closed) {
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) take(end);
        if (!end->is_closed && events[i].events & EPOLLOUT) put_rest(end);
      }
    }
    go_on();
    release();
  }
}
