# libunderstudy.so: the public API, and nothing else visible.
#
# The archives that define what include/understudy/ declares go in whole; the rest is pulled in
# by need.

add_library(understudy SHARED ${PROJECT_SOURCE_DIR}/cmake/empty.cc)
add_library(Understudy::understudy ALIAS understudy)
foreach(module understudy_library understudy_client understudy_record understudy_base)
    if(TARGET ${module})
        target_link_libraries(understudy PRIVATE ${module})
        set_property(TARGET understudy APPEND PROPERTY LINK_LIBRARY_OVERRIDE
                     "WHOLE_ARCHIVE,${module}")
    endif()
endforeach()
target_include_directories(understudy INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(understudy INTERFACE cxx_std_20)
target_link_options(understudy PRIVATE
    -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/library.map)
set_target_properties(understudy PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION 0
    LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/library.map)
