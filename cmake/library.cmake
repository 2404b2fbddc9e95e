# libunderstudy.so: the public API, and nothing else visible.
#
# The archives that define what include/understudy/ declares go in whole; the rest is pulled in
# by need.

add_library(understudy SHARED ${PROJECT_SOURCE_DIR}/cmake/library.cc)
add_library(Understudy::understudy ALIAS understudy)
set(understudy_whole understudy_library understudy_base)
foreach(module IN LISTS understudy_whole)
    set_property(TARGET understudy APPEND PROPERTY LINK_LIBRARY_OVERRIDE "WHOLE_ARCHIVE,${module}")
endforeach()
target_link_libraries(understudy PRIVATE ${understudy_whole})
target_include_directories(understudy INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(understudy INTERFACE cxx_std_20)
# Symbols of archives (ours are hidden already, Asio's and generated ones are not) stay inside.
target_link_options(understudy PRIVATE -Wl,--no-undefined)
set_target_properties(understudy PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0)
