#pragma once

/// For the implementation of a public class: it is nested in it, and the library does not export
/// it.
#define US_HIDDEN __attribute__((visibility("hidden")))
