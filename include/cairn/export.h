// Marks what the shared library shows; everything else in it is hidden.
#pragma once

#define CAIRN_EXPORT __attribute__((visibility("default")))
