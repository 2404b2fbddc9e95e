# libunderstudy.so: the public API, and nothing else visible.
#
# The modules that define what include/understudy/ declares go in whole; the rest is pulled in by
# need.

add_library(understudy SHARED)
add_library(Understudy::understudy ALIAS understudy)
foreach(module understudy_library understudy_client understudy_record understudy_immortal
               understudy_replica understudy_base)
    if(TARGET ${module})
        target_sources(understudy PRIVATE $<TARGET_OBJECTS:${module}>)
        target_link_libraries(understudy PRIVATE ${module})
    endif()
endforeach()
set_target_properties(understudy PROPERTIES
    LINKER_LANGUAGE CXX
    VERSION ${PROJECT_VERSION} SOVERSION 0
    LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/library.map)
target_include_directories(understudy INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(understudy INTERFACE cxx_std_20)
target_link_options(understudy PRIVATE
    -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/library.map)
