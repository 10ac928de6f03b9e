// HTTP transfers by libcurl's multi interface, for one thread: start some, run, and take those that have finished.
#pragma once
#include <stddef.h>
#include <stdint.h>

// A word that other processes change.
static inline uint64_t tpr_load64(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
static inline void tpr_store64(uint64_t *word, uint64_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }

// Loads libcurl unless it is loaded; the functions below need that. 1, or 0 with a sentence in `message`.
int tpr_load(char *message, size_t size);

// Connections and the transfers that use them.
typedef struct tpr_multi tpr_multi;

// A request. All texts are copied by tpr_start; `body` and `into` must stay until the transfer has ended.
typedef struct {
  const char *url;
  const char *method;          // "GET", "HEAD", "PUT", "POST" or "DELETE"
  const char *const *headers;  // "Name: value" each, then NULL
  const char *signing;         // of AWS Signature Version 4, "aws:amz:REGION:s3"; NULL for none
  const char *user;            // an access key with `signing`, else of Basic; NULL for none
  const char *password;
  const void *body;  // what is sent, NULL for nothing
  size_t body_size;
  void *into;  // where the content of a successful answer goes
  size_t capacity;
  long connect_milliseconds;
  long stalled_seconds;  // without a byte for so long, a transfer has failed
  long total_milliseconds;
  int follows;            // whether redirects are followed
  int allows_http;        // whether they may lead to another machine by plain http
  int uses_netrc;         // whether ~/.netrc may name user and password
  int is_direct;          // whether no proxy is used
  const char *authorities;  // a file of certificates; NULL for the system's
  void *owner;
} tpr_request;

// What became of it. Texts are valid until tpr_free.
typedef struct {
  void *owner;
  int code;  // a CURLcode; 0 where there is an answer
  int status;
  size_t received;  // bytes in `into`
  int overflows;    // whether the content was longer than `capacity`, and given up for that
  long retry_after; // seconds that the server asks to wait; 0 for none
  const char *headers;  // "name: value\n" each, names in lower case, of the last answer
  const char *url;      // where redirects have led to
  const char *text;     // the beginning of the content of an answer that is no success
  const char *why;      // libcurl's words for `code`
} tpr_answer;

typedef struct tpr_transfer tpr_transfer;

// NULL where there is no memory.
tpr_multi *tpr_multi_new(long connections);
// Whether the transfer was started; its answer comes from tpr_next.
int tpr_start(tpr_multi *multi, const tpr_request *request);
// Moves bytes, and waits up to so long for more to do.
void tpr_run(tpr_multi *multi, int milliseconds);
// Makes tpr_run return, from any thread.
void tpr_wake(tpr_multi *multi);
// A transfer that has ended, or NULL.
tpr_transfer *tpr_next(tpr_multi *multi, tpr_answer *answer);
// Gives a transfer's handle back.
void tpr_free(tpr_multi *multi, tpr_transfer *transfer);

// Calls `handler` when the process ends, before what libcurl has registered.
void tpr_at_exit(void (*handler)(void));
// Whether libcurl calls the error one that another attempt may not show.
int tpr_is_transient(int code);
// Whether a host, with a port or without, is this machine: "localhost", "[::1]" or a numeric address 127.x.x.x.
int tpr_is_loopback(const char *authority);
// Whether the error is one of certificates.
int tpr_is_certificate(int code);
