// A Node addon that holds back what native code writes to stderr, for the moment while TensorFlow's libraries load:
// their static initializers log before any log level, TF_CPP_MIN_LOG_LEVEL included, is read.
#include <node_api.h>
#include <unistd.h>

#include <cstdio>
#include <string>

static int saved_stderr = -1;
static FILE* held = nullptr;

// hold(): from now on stderr goes to a temporary file. Does nothing where none can be made.
static napi_value Hold(napi_env env, napi_callback_info info) {
  if (held != nullptr || (held = tmpfile()) == nullptr) return nullptr;
  fflush(stderr);
  saved_stderr = dup(STDERR_FILENO);
  dup2(fileno(held), STDERR_FILENO);
  return nullptr;
}

// release(): stderr is itself again; returns what was held back.
static napi_value Release(napi_env env, napi_callback_info info) {
  std::string text;
  if (held != nullptr) {
    fflush(stderr);
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    rewind(held);
    char chunk[4096];
    for (size_t size; (size = fread(chunk, 1, sizeof chunk, held)) > 0;) text.append(chunk, size);
    fclose(held);
    held = nullptr;
  }
  napi_value result;
  napi_create_string_utf8(env, text.data(), text.size(), &result);
  return result;
}

static napi_value Init(napi_env env, napi_value exports) {
  napi_property_descriptor functions[] = {
      {"hold", nullptr, Hold, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"release", nullptr, Release, nullptr, nullptr, nullptr, napi_default, nullptr},
  };
  napi_define_properties(env, exports, 2, functions);
  return exports;
}

NAPI_MODULE(stderr_tap, Init)
