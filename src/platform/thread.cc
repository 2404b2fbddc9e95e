#include "platform/thread.h"

#include <csignal>
#include <utility>

#include <pthread.h>

namespace understudy::platform {

std::thread start_thread(const std::string& name, std::function<void()> body) {
    // Signals are blocked before the thread exists, so that it can never be chosen for one.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    constexpr std::size_t name_max = 15;  // The kernel's limit, without the terminating zero.
    std::thread thread([name = name.substr(0, name_max), run = std::move(body)] {
        pthread_setname_np(pthread_self(), name.c_str());
        run();
    });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return thread;
}

}  // namespace understudy::platform
