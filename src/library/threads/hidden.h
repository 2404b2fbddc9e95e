#pragma once

/// For what stands behind a public class: part of it by name, not of what the library shows.
#define US_HIDDEN __attribute__((visibility("hidden")))
