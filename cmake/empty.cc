// CMake wants one source for a library that is made of archives.
