// What the console's routes answer with: JSON, and headers that keep a browser from taking it for
// anything else.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "http/http_message.h"

namespace cairn::server {

// Of every answer of the console: nothing from elsewhere is loaded, run or connected to; nobody
// frames it; nothing is guessed; other origins may not embed it.
http::Headers ConsoleHeaders();

// 200 with `body`, which is JSON.
http::Response JsonAnswer(std::string body);

// {"error":MESSAGE,"code":"OUT_OF_RANGE","reason":"OFFSET_OUT_OF_RANGE","details":{…}}, the last
// two where the status carries an ErrorInfo. Not for OK.
http::Response JsonError(const absl::Status& status);

// What whoever still waits when the node stops is told.
absl::Status ShuttingDown();

}  // namespace cairn::server
