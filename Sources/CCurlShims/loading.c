#include "curl_shims.h"
#include "lazy_loading.h"
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>

#define FUNCTION(name) extern void *tpl_at_##name;
#include "functions.h"
#undef FUNCTION

static const tpl_symbol symbols[] = {
#define FUNCTION(name) {#name, &tpl_at_##name, 0},
#include "functions.h"
};

static const char *const files[] = {
    "libcurl-trajpack.so.4:libcurl.so.4|libcurl-gnutls.so.4",
    NULL,
};

#define PURPOSE "remote paths need libcurl 7.87 or newer"
#define REMEDY "install it (on Debian and Ubuntu: apt-get install libcurl4)"

static tpl_library curl = {
    .purpose = PURPOSE,
    .remedy = REMEDY,
    .files = files,
    .symbols = symbols,
    .count = sizeof symbols / sizeof *symbols,
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode started;

static void start(void) { started = curl_global_init(CURL_GLOBAL_DEFAULT); }

int tpr_load(char *message, size_t size) {
  if (!tpl_load(&curl, message, size)) return 0;
  pthread_once(&once, start);
  if (started != CURLE_OK) {
    snprintf(message, size, "libcurl cannot be started: %s", curl_easy_strerror(started));
    return 0;
  }
  // Older ones sign S3's requests with too few headers.
  const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);
  if (version->version_num >= 0x075700) return 1;
  snprintf(message, size, PURPOSE ": the one here is %s; " REMEDY, version->version);
  return 0;
}

// What trampolines.S calls.
__attribute__((visibility("hidden"))) void tpr_require(void) { tpl_require(&curl); }
