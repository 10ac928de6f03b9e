#define CURL_DISABLE_TYPECHECK
#include "curl_shims.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { MOST_HEADERS = 16 << 10, MOST_TEXT = 4 << 10, SPARE = 64 };

struct tpr_transfer {
  CURL *easy;
  struct curl_slist *headers;
  tpr_request request;
  size_t received, header_bytes, text_bytes;
  int overflows, stalls, is_plain;
  curl_off_t moved;
  time_t moved_at;
  char answer_headers[MOST_HEADERS + 1];
  char text[MOST_TEXT + 1];
  char why[CURL_ERROR_SIZE];
  struct tpr_transfer *next;
};

struct tpr_multi {
  CURLM *multi;
  tpr_transfer *spare;
  int spares;
};

tpr_multi *tpr_multi_new(long connections) {
  tpr_multi *multi = calloc(1, sizeof *multi);
  if (!multi) return NULL;
  multi->multi = curl_multi_init();
  if (!multi->multi) {
    free(multi);
    return NULL;
  }
  curl_multi_setopt(multi->multi, CURLMOPT_MAX_HOST_CONNECTIONS, connections);
  curl_multi_setopt(multi->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, 2 * connections);
  curl_multi_setopt(multi->multi, CURLMOPT_MAXCONNECTS, 2 * connections);
  curl_multi_setopt(multi->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
  return multi;
}

static size_t take_header(char *line, size_t size, size_t count, void *of) {
  tpr_transfer *transfer = of;
  size_t bytes = size * count, length = bytes;
  // A redirect's headers, or those of "100 Continue", are followed by others.
  if (bytes > 5 && !strncmp(line, "HTTP/", 5)) {
    transfer->header_bytes = 0;
    return bytes;
  }
  while (length && (line[length - 1] == '\n' || line[length - 1] == '\r')) length--;
  if (!length || transfer->header_bytes + length + 1 > MOST_HEADERS) return bytes;
  char *out = transfer->answer_headers + transfer->header_bytes;
  int is_name = 1;
  for (size_t i = 0; i < length; i++) {
    if (line[i] == ':') is_name = 0;
    out[i] = line[i] == '\n' || !line[i] ? ' ' : is_name ? (char)tolower((unsigned char)line[i]) : line[i];
  }
  out[length] = '\n';
  transfer->header_bytes += length + 1;
  return bytes;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *of) {
  tpr_transfer *transfer = of;
  size_t length = size * count;
  long status = 0;
  curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
  if (status < 200 || status > 299) {
    size_t room = MOST_TEXT - transfer->text_bytes, kept = length < room ? length : room;
    memcpy(transfer->text + transfer->text_bytes, bytes, kept);
    transfer->text_bytes += kept;
    return length;
  }
  if (length > transfer->request.capacity - transfer->received) {
    transfer->overflows = 1;
    return 0;
  }
  memcpy((char *)transfer->request.into + transfer->received, bytes, length);
  transfer->received += length;
  return length;
}

static time_t seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec;
}

// libcurl's own limit looks at the speed of the last five seconds, so that it comes later.
static int watch(void *of, curl_off_t total, curl_off_t down, curl_off_t total_up, curl_off_t up) {
  tpr_transfer *transfer = of;
  (void)total, (void)total_up;
  time_t now = seconds();
  if (down + up != transfer->moved || !transfer->moved_at) {
    transfer->moved = down + up;
    transfer->moved_at = now;
  }
  transfer->stalls = now - transfer->moved_at > transfer->request.stalled_seconds;
  return transfer->stalls;
}

int tpr_is_loopback(const char *authority) {
  char host[64];
  int is_six = *authority == '[';
  const char *first = authority + is_six, *end = first + strcspn(first, is_six ? "]" : ":");
  size_t length = (size_t)(end - first);
  if (!length || length >= sizeof host) return 0;
  memcpy(host, first, length);
  host[length] = 0;
  if (is_six && *end++ != ']') return 0;
  if (*end == ':')
    while (isdigit((unsigned char)*++end)) continue;
  if (*end) return 0;
  struct in_addr four;
  struct in6_addr six;
  if (is_six) return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
  return !strcasecmp(host, "localhost") || (inet_pton(AF_INET, host, &four) == 1 && ntohl(four.s_addr) >> 24 == 127);
}

// Before each request, of redirects too, is sent.
static int permit(void *of, char *to, char *from, int to_port, int from_port) {
  tpr_transfer *transfer = of;
  (void)to, (void)from, (void)to_port, (void)from_port;
  long redirects = 0;
  char *url = NULL, authority[256];
  curl_easy_getinfo(transfer->easy, CURLINFO_REDIRECT_COUNT, &redirects);
  curl_easy_getinfo(transfer->easy, CURLINFO_EFFECTIVE_URL, &url);
  if (!redirects || transfer->request.allows_http || !url || !strncasecmp(url, "https://", 8)) return CURL_PREREQFUNC_OK;
  const char *first = strstr(url, "://");
  if (first) {
    first += 3;
    size_t length = strcspn(first, "/?#");
    for (size_t i = 0; i < length; i++)
      if (first[i] == '@') {
        first += i + 1;
        length -= i + 1;
        i = (size_t)-1;
      }
    if (length < sizeof authority) {
      memcpy(authority, first, length);
      authority[length] = 0;
      if (tpr_is_loopback(authority)) return CURL_PREREQFUNC_OK;
    }
  }
  transfer->is_plain = 1;
  return CURL_PREREQFUNC_ABORT;
}

static tpr_transfer *make(tpr_multi *multi) {
  tpr_transfer *transfer = multi->spare;
  if (transfer) {
    multi->spare = transfer->next;
    multi->spares--;
    curl_easy_reset(transfer->easy);
    return transfer;
  }
  transfer = calloc(1, sizeof *transfer);
  if (transfer && !(transfer->easy = curl_easy_init())) {
    free(transfer);
    return NULL;
  }
  return transfer;
}

int tpr_start(tpr_multi *multi, const tpr_request *request) {
  tpr_transfer *transfer = make(multi);
  if (!transfer) return 0;
  CURL *easy = transfer->easy;
  int is_secure = !strncmp(request->url, "https://", 8);
  transfer->request = *request;
  transfer->received = transfer->header_bytes = transfer->text_bytes = 0;
  transfer->overflows = transfer->stalls = transfer->is_plain = 0;
  transfer->moved = transfer->moved_at = 0;
  transfer->why[0] = 0;
  transfer->headers = NULL;
  for (const char *const *header = request->headers; *header; header++)
    transfer->headers = curl_slist_append(transfer->headers, *header);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->why);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_URL, request->url);
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 128L << 10);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, request->connect_milliseconds);
  curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, watch);
  curl_easy_setopt(easy, CURLOPT_XFERINFODATA, transfer);
  curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, request->stalled_seconds);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, request->total_milliseconds);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, is_secure ? "https" : "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, (long)request->follows);
  curl_easy_setopt(easy, CURLOPT_MAXREDIRS, 5L);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, permit);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
  // Only TLS says whether HTTP/2 is spoken, so that waiting for that may pay.
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, (long)is_secure);
  if (request->uses_netrc) curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
  if (request->is_direct) curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
  if (request->authorities) curl_easy_setopt(easy, CURLOPT_CAINFO, request->authorities);
  if (request->user) curl_easy_setopt(easy, CURLOPT_USERNAME, request->user);
  if (request->password) curl_easy_setopt(easy, CURLOPT_PASSWORD, request->password);
  if (request->signing) curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, request->signing);
  if (request->body) {
    // For servers that do not know "Expect: 100-continue". A header "Expect:" would be signed and not be sent (7.88).
    curl_easy_setopt(easy, CURLOPT_EXPECT_100_TIMEOUT_MS, 100L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
  }
  if (!strcmp(request->method, "HEAD"))
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  else if (request->body || strcmp(request->method, "GET"))
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
  if (curl_multi_add_handle(multi->multi, easy) == CURLM_OK) return 1;
  tpr_free(multi, transfer);
  return 0;
}

void tpr_run(tpr_multi *multi, int milliseconds) {
  int running = 0;
  curl_multi_perform(multi->multi, &running);
  if (milliseconds > 0) curl_multi_poll(multi->multi, NULL, 0, milliseconds, NULL);
}

void tpr_wake(tpr_multi *multi) { curl_multi_wakeup(multi->multi); }

tpr_transfer *tpr_next(tpr_multi *multi, tpr_answer *answer) {
  int left = 0;
  CURLMsg *message;
  while ((message = curl_multi_info_read(multi->multi, &left))) {
    if (message->msg != CURLMSG_DONE) continue;
    tpr_transfer *transfer = NULL;
    long status = 0;
    curl_off_t wait = 0;
    char *url = NULL;
    CURL *easy = message->easy_handle;
    CURLcode code = message->data.result;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &wait);
    curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
    curl_multi_remove_handle(multi->multi, easy);
    transfer->answer_headers[transfer->header_bytes] = 0;
    transfer->text[transfer->text_bytes] = 0;
    *answer = (tpr_answer){
        .owner = transfer->request.owner,
        .code = transfer->is_plain ? CURLE_UNSUPPORTED_PROTOCOL : (int)code,
        .status = (int)status,
        .received = transfer->received,
        .overflows = transfer->overflows,
        .retry_after = (long)wait,
        .headers = transfer->answer_headers,
        .url = url ? url : "",
        .text = transfer->text,
        .why = transfer->is_plain ? "it leads to another machine by plain http:// (TRAJPACK_ALLOW_HTTP=1 allows that)"
               : transfer->stalls ? "no byte came for too long (TRAJPACK_HTTP_TIMEOUT)"
               : !code           ? "" : transfer->why[0] ? transfer->why : curl_easy_strerror(code),
    };
    return transfer;
  }
  return NULL;
}

void tpr_free(tpr_multi *multi, tpr_transfer *transfer) {
  curl_slist_free_all(transfer->headers);
  transfer->headers = NULL;
  // What is kept for the next one keeps no secret.
  curl_easy_reset(transfer->easy);
  if (multi->spares < SPARE) {
    transfer->next = multi->spare;
    multi->spare = transfer;
    multi->spares++;
  } else {
    curl_easy_cleanup(transfer->easy);
    free(transfer);
  }
}

void tpr_at_exit(void (*handler)(void)) { atexit(handler); }

int tpr_is_transient(int code) {
  switch (code) {
  case CURLE_COULDNT_RESOLVE_HOST:
  case CURLE_COULDNT_CONNECT:
  case CURLE_PARTIAL_FILE:
  case CURLE_OPERATION_TIMEDOUT:
  case CURLE_SSL_CONNECT_ERROR:
  case CURLE_GOT_NOTHING:
  case CURLE_SEND_ERROR:
  case CURLE_RECV_ERROR:
  case CURLE_HTTP2:
  case CURLE_HTTP2_STREAM:
  case CURLE_WEIRD_SERVER_REPLY:
  case CURLE_ABORTED_BY_CALLBACK:
  case CURLE_BAD_CONTENT_ENCODING: return 1;
  default: return 0;
  }
}

int tpr_is_certificate(int code) {
  return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_ISSUER_ERROR;
}
