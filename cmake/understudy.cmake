# How a module, a test, a fuzzer and a benchmark are declared. Their CMakeLists.txt hold nothing
# else.

# Records one line of the layer table (cmake/modules.cmake).
function(understudy_layer)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;FLOOR" "MAY;FOREIGN")
    set_property(GLOBAL PROPERTY understudy_may_${arg_NAME} "${arg_MAY}")
    set_property(GLOBAL APPEND PROPERTY understudy_layers ${arg_NAME})
endfunction()

include(${CMAKE_CURRENT_LIST_DIR}/modules.cmake)

# What all code of ours is compiled with: warnings, sanitizers, include folders.
add_library(understudy_flags INTERFACE)
target_include_directories(understudy_flags INTERFACE ${PROJECT_SOURCE_DIR}/include
                                                      ${PROJECT_SOURCE_DIR}/src)
target_compile_features(understudy_flags INTERFACE cxx_std_20)
target_compile_options(understudy_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow
    $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor> $<$<COMPILE_LANGUAGE:CXX>:-Wold-style-cast>)
if(CMAKE_UNITY_BUILD)
    # In one unit of several files no file is the main one, so that every type with a member from an
    # anonymous namespace would be complained of, and so would a local name that another file has at
    # its top. The preset without unity builds keeps both warnings.
    target_compile_options(understudy_flags INTERFACE
        $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-subobject-linkage>
        $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-shadow>)
endif()
# US_TRY is a statement expression, the one extension we use.
target_compile_options(understudy_flags INTERFACE
    $<$<COMPILE_LANG_AND_ID:CXX,Clang>:-Wno-gnu-statement-expression>)
if(UNDERSTUDY_WERROR)
    # A newer compiler may know warnings that this code has never met: they must not stop a build.
    if((CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
       OR (CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 15))
        target_compile_options(understudy_flags INTERFACE -Werror)
    else()
        message(STATUS "Warnings stay warnings: this code is not yet kept clean for "
                       "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}")
    endif()
endif()

# Leaves out the sources that are not written yet, with a warning: one unfinished module must not
# keep the others from being built.
function(understudy_existing variable)
    set(existing)
    foreach(source IN LISTS ${variable})
        get_filename_component(path ${source} ABSOLUTE BASE_DIR ${CMAKE_CURRENT_SOURCE_DIR})
        if(EXISTS ${path})
            list(APPEND existing ${source})
        else()
            message(WARNING "${path} is named but missing")
            set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
        endif()
    endforeach()
    set(${variable} "${existing}" PARENT_SCOPE)
endfunction()

# understudy_module(NAME journal SOURCES FILE... DEPS base runtime [LIBS fmt::fmt])
#
# A static library understudy_<name>; an interface library if there are no SOURCES.
function(understudy_module)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "SOURCES;DEPS;LIBS")
    get_property(layers GLOBAL PROPERTY understudy_layers)
    get_property(may GLOBAL PROPERTY understudy_may_${arg_NAME})
    if(NOT arg_NAME IN_LIST layers)
        message(FATAL_ERROR "module ${arg_NAME} has no line in cmake/modules.cmake")
    endif()
    foreach(dep IN LISTS arg_DEPS)
        if(NOT dep IN_LIST may)
            message(FATAL_ERROR "module ${arg_NAME} may not depend on ${dep} (cmake/modules.cmake)")
        endif()
    endforeach()

    understudy_existing(arg_SOURCES)
    set(target understudy_${arg_NAME})
    list(TRANSFORM arg_DEPS PREPEND understudy_)
    if(arg_SOURCES)
        add_library(${target} STATIC ${arg_SOURCES})
        target_link_libraries(${target} PUBLIC ${arg_DEPS} ${arg_LIBS} PRIVATE understudy_flags)
        # The include folders go on to whoever links the module; the warnings do not need to.
        target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR}/include
                                                    ${PROJECT_SOURCE_DIR}/src)
        if(TARGET ${target}_proto)
            target_link_libraries(${target} PUBLIC ${target}_proto)
        endif()
    else()
        add_library(${target} INTERFACE)
        target_link_libraries(${target} INTERFACE ${arg_DEPS} ${arg_LIBS})
        target_include_directories(${target} INTERFACE ${PROJECT_SOURCE_DIR}/include
                                                       ${PROJECT_SOURCE_DIR}/src)
    endif()
    set_property(GLOBAL APPEND PROPERTY understudy_modules ${arg_NAME})
    set_property(GLOBAL APPEND PROPERTY understudy_wanted ${arg_DEPS})
endfunction()

# understudy_proto(MODULE wire FILES control.proto)
#
# Generates lite C++ into the build folder: #include "wire/control.pb.h".
function(understudy_proto)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "MODULE" "FILES")
    set(root ${CMAKE_BINARY_DIR}/generated)
    set(out ${root}/${arg_MODULE})
    file(MAKE_DIRECTORY ${out})
    set(sources)
    foreach(file IN LISTS arg_FILES)
        get_filename_component(stem ${file} NAME_WE)
        add_custom_command(
            OUTPUT ${out}/${stem}.pb.cc ${out}/${stem}.pb.h
            COMMAND protobuf::protoc --proto_path=${PROJECT_SOURCE_DIR}/src --cpp_out=lite:${root}
                    ${CMAKE_CURRENT_SOURCE_DIR}/${file}
            DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${file}
            VERBATIM)
        list(APPEND sources ${out}/${stem}.pb.cc ${out}/${stem}.pb.h)
    endforeach()
    set(target understudy_${arg_MODULE}_proto)
    add_library(${target} STATIC ${sources})
    target_compile_features(${target} PUBLIC cxx_std_20)
    target_compile_options(${target} PRIVATE -w)
    set_target_properties(${target} PROPERTIES CXX_CLANG_TIDY "")
    target_include_directories(${target} SYSTEM PUBLIC ${root})
    target_link_libraries(${target} PUBLIC protobuf::libprotobuf-lite)
    if(TARGET understudy_${arg_MODULE})
        target_link_libraries(understudy_${arg_MODULE} PUBLIC ${target})
    endif()
endfunction()

# An executable of ours from SOURCES that links MODULES (ours) and LIBS (others').
function(understudy_executable target)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;MODULES;LIBS")
    understudy_existing(arg_SOURCES)
    list(TRANSFORM arg_MODULES PREPEND understudy_)
    if(NOT arg_SOURCES)
        return()
    endif()
    add_executable(${target} ${arg_SOURCES})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(${target} PRIVATE ${arg_MODULES} ${arg_LIBS} understudy_flags)
    set_property(GLOBAL APPEND PROPERTY understudy_wanted ${arg_MODULES})
endfunction()

# understudy_program(NAME understudy_program OUTPUT understudy SOURCES main.cc MODULES library
#                    [LIBS ...])
#
# A program that users run. The target has another name because the library has that one.
function(understudy_program)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;OUTPUT" "SOURCES;MODULES;LIBS")
    understudy_executable(${arg_NAME} SOURCES ${arg_SOURCES} MODULES ${arg_MODULES}
                          LIBS ${arg_LIBS})
    set_target_properties(${arg_NAME} PROPERTIES OUTPUT_NAME ${arg_OUTPUT})
endfunction()

# Test bodies are compiled without sanitizers unless asked for: the modules that they try have them,
# and a test's own code is mostly expansions of gtest's macros. Thread sanitizer wants all of them.
function(understudy_test_body target)
    if(UNDERSTUDY_SANITIZE AND NOT UNDERSTUDY_SANITIZE_TESTS)
        target_compile_options(${target} PRIVATE -fno-sanitize=all)
    endif()
endfunction()

# The same for all that this folder declares from here on: programs that tests run, benchmarks.
function(understudy_test_folder)
    if(UNDERSTUDY_SANITIZE AND NOT UNDERSTUDY_SANITIZE_TESTS)
        set_property(DIRECTORY APPEND PROPERTY COMPILE_OPTIONS -fno-sanitize=all)
    endif()
endfunction()

# understudy_quick(variable)
#
# The modules for a program that tests start thousands of times: with address sanitizer each start
# takes a quarter of a second of processor time. They are those of `apps`, without sanitizers where
# such modules exist (tests/exhaustive).
function(understudy_quick variable)
    if(UNDERSTUDY_TESTS AND UNDERSTUDY_SANITIZE AND NOT UNDERSTUDY_SANITIZE_TESTS)
        set(${variable} bare PARENT_SCOPE)
    else()
        set(${variable} apps PARENT_SCOPE)
    endif()
endfunction()

# understudy_test_library(NAME journal_fakes SOURCES fake_disk_test.cc MODULES journal [LIBS ...])
#
# What several test programs use: fakes, stages. Programs name it among their MODULES.
function(understudy_test_library)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "SOURCES;MODULES;LIBS")
    if(NOT UNDERSTUDY_TESTS)
        return()
    endif()
    list(TRANSFORM arg_MODULES PREPEND understudy_)
    add_library(understudy_${arg_NAME} STATIC ${arg_SOURCES})
    target_include_directories(understudy_${arg_NAME} PUBLIC ${PROJECT_SOURCE_DIR})
    target_link_libraries(understudy_${arg_NAME} PUBLIC ${arg_MODULES} ${arg_LIBS}
                          PRIVATE understudy_flags)
    understudy_test_body(understudy_${arg_NAME})
endfunction()

# understudy_test(NAME journal_test SOURCES FILE... MODULES journal sim [LIBS ...]
#                 [LABELS slow] [TIMEOUT 120] [SHARDS 4] [PROGRAMS MEMBER_PROGRAM=member ...])
#
# One program with gtest's main; understudy_more_tests() adds to it. ctest runs it as SHARDS tests,
# each with its part of the cases, one process for all of a part. A part that fails says which cases
# failed. TIMEOUT is for a part, in seconds: it ends what hangs, and says nothing of speed. Of
# PROGRAMS each is a target that the test runs, built before it, and the macro that has its path.
function(understudy_test)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;TIMEOUT;SHARDS"
                          "SOURCES;MODULES;LIBS;LABELS;PROGRAMS")
    if(NOT UNDERSTUDY_TESTS)
        return()
    endif()
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 900)
    endif()
    if(NOT arg_LABELS)
        set(arg_LABELS unit)
    endif()
    if(NOT arg_SHARDS)
        set(arg_SHARDS 1)
    endif()
    understudy_executable(${arg_NAME} SOURCES ${arg_SOURCES} MODULES ${arg_MODULES}
                          LIBS ${arg_LIBS} GTest::gmock GTest::gmock_main)
    if(NOT TARGET ${arg_NAME})
        return()
    endif()
    # Formats are tried with the examples in their documents.
    target_compile_definitions(${arg_NAME} PRIVATE UNDERSTUDY_SOURCE="${PROJECT_SOURCE_DIR}")
    understudy_test_body(${arg_NAME})
    foreach(program IN LISTS arg_PROGRAMS)
        string(REGEX MATCH "^(.+)=(.+)$" matched ${program})
        target_compile_definitions(${arg_NAME} PRIVATE
            ${CMAKE_MATCH_1}="$<TARGET_FILE:${CMAKE_MATCH_2}>")
        add_dependencies(${arg_NAME} ${CMAKE_MATCH_2})
    endforeach()
    math(EXPR last "${arg_SHARDS} - 1")
    foreach(shard RANGE ${last})
        set(name ${arg_NAME})
        if(last GREATER 0)
            math(EXPR number "${shard} + 1")
            set(name ${arg_NAME}/${number}_of_${arg_SHARDS})
        endif()
        add_test(NAME ${name} COMMAND ${arg_NAME})
        set_tests_properties(${name} PROPERTIES
            TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}"
            ENVIRONMENT "GTEST_TOTAL_SHARDS=${arg_SHARDS};GTEST_SHARD_INDEX=${shard}")
    endforeach()
endfunction()

# understudy_fuzz(NAME frame_fuzz SOURCES frame_fuzz.cc MODULES wire
#                 CORPUS ${CMAKE_CURRENT_SOURCE_DIR}/corpus/frame)
#
# libFuzzer in the fuzz preset; elsewhere a program that replays the corpus. Both are ctests.
function(understudy_fuzz)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;CORPUS" "SOURCES;MODULES;LIBS")
    if(NOT UNDERSTUDY_TESTS)
        return()
    endif()
    if(UNDERSTUDY_FUZZ)
        understudy_executable(${arg_NAME} SOURCES ${arg_SOURCES} MODULES ${arg_MODULES}
                              LIBS ${arg_LIBS})
        target_link_options(${arg_NAME} PRIVATE -fsanitize=fuzzer)
        # New inputs go to the first folder, in the build tree; the kept corpus is only read.
        file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/${arg_NAME}_found)
        add_test(NAME ${arg_NAME}
                 COMMAND ${arg_NAME} -max_total_time=${UNDERSTUDY_FUZZ_SECONDS} -print_final_stats=1
                         ${CMAKE_CURRENT_BINARY_DIR}/${arg_NAME}_found ${arg_CORPUS})
        math(EXPR timeout "${UNDERSTUDY_FUZZ_SECONDS} + 120")
    else()
        understudy_executable(${arg_NAME}
                              SOURCES ${arg_SOURCES} ${PROJECT_SOURCE_DIR}/tools/fuzz/replay.cc
                              MODULES ${arg_MODULES} LIBS ${arg_LIBS})
        understudy_test_body(${arg_NAME})
        add_test(NAME ${arg_NAME} COMMAND ${arg_NAME} ${arg_CORPUS})
        set(timeout 120)
    endif()
    set_tests_properties(${arg_NAME} PROPERTIES TIMEOUT ${timeout} LABELS fuzz)
endfunction()

# understudy_bench(NAME journal_bench SOURCES journal_bench.cc MODULES journal [LIBS ...])
#
# Google Benchmark with its main. Built by default only where UNDERSTUDY_BENCH is on (release).
function(understudy_bench)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "SOURCES;MODULES;LIBS")
    if(NOT UNDERSTUDY_BENCH)
        return()
    endif()
    understudy_executable(${arg_NAME} SOURCES ${arg_SOURCES} MODULES ${arg_MODULES}
                          LIBS ${arg_LIBS} benchmark::benchmark benchmark::benchmark_main)
    set_property(GLOBAL APPEND PROPERTY understudy_benches ${arg_NAME})
    # As a test it runs for a moment only, so that it cannot rot.
    add_test(NAME ${arg_NAME} COMMAND ${arg_NAME} --benchmark_min_time=0.001)
    set_tests_properties(${arg_NAME} PROPERTIES TIMEOUT 120 LABELS bench)
endfunction()

# The target run_benches: every benchmark, one after the other. Called once, at the end of the root.
function(understudy_run_benches)
    get_property(benches GLOBAL PROPERTY understudy_benches)
    set(commands)
    foreach(bench IN LISTS benches)
        list(APPEND commands COMMAND ${bench})
    endforeach()
    if(commands)
        add_custom_target(run_benches ${commands} USES_TERMINAL VERBATIM)
    endif()
endfunction()

# Names each module that somebody links and nobody declares. Called once, at the end of the root.
function(understudy_check_modules)
    get_property(wanted GLOBAL PROPERTY understudy_wanted)
    list(REMOVE_DUPLICATES wanted)
    foreach(target IN LISTS wanted)
        if(NOT TARGET ${target})
            message(WARNING "${target} is linked by a module or a test, but no folder declares it")
        endif()
    endforeach()
endfunction()
