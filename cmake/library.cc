// CMake wants one source for a library made of archives.
