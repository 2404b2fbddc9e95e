#include "apps/commands/error_codes.h"

#include <array>

namespace understudy::apps {

namespace {

constexpr std::array codes{
    ErrorCode{Errc::timed_out, "The deadline passed before the answer came.",
              "Outcome unknown: check before you repeat. Otherwise try again, or raise --timeout."},
    ErrorCode{Errc::not_active, "This member does not hold the active role.",
              "Nothing: proxies find the active member. understudy service show NAME shows it."},
    ErrorCode{Errc::session_expired, "The peer has forgotten this session.",
              "Open a new session; what was acknowledged stays."},
    ErrorCode{Errc::limit_exceeded,
              "A declared bound was reached; the same request will reach it again.",
              "Make it smaller; include/understudy/limits.h lists the bounds."},
    ErrorCode{Errc::corrupt, "Bytes contradict their checksum or their format.",
              "Keep the files for an analysis, and restore a backup: docs/operations/registry.md."},
    ErrorCode{Errc::disk_failed, "A write, read or sync returned an error.",
              "Check dmesg and the disk. After a restart, everything acknowledged is there."},
    ErrorCode{Errc::bad_config, "An option or an argument is wrong; the message says which.",
              "understudy COMMAND --help; understudy config check FILE."},
    ErrorCode{Errc::unavailable, "No process answers there now.",
              "Check that it runs and that the address is right: understudy registry status."},
    ErrorCode{Errc::refused, "The peer understood and refused; the message says why.",
              "Remove the reason that it gives."},
    ErrorCode{Errc::not_found, "There is no such service, member, record or call.",
              "understudy service list; understudy record list NAME."},
    ErrorCode{Errc::already_exists, "The name is in use by a live member or by a file.",
              "Choose another name, or end its holder."},
    ErrorCode{Errc::no_space, "The disk is full; nothing was written.",
              "Make room: it goes on by itself. docs/operations/registry.md, Full disk."},
    ErrorCode{Errc::closed, "The object or the connection was closed.",
              "Try again; if it repeats, the log of the other end says why."},
    ErrorCode{Errc::stale_epoch, "The sender's epoch is below one already seen.",
              "Nothing: a member that lost its role was refused, as intended."},
    ErrorCode{Errc::denied, "Not authenticated, or not allowed by the peer.",
              "Check the certificates: --tls-cert, --tls-key, --tls-ca, and the peer's authority."},
    ErrorCode{Errc::in_use, "Another process holds the port or the directory.",
              "End it or choose another; fuser DIR/* and ss -ltnp name it."},
    ErrorCode{Errc::failed, "The remote handler ran and reported a failure.",
              "The message is the handler's; outcome unknown means that it gave up half-way."},
    ErrorCode{
        Errc::no_descriptors, "The process or the system has no descriptor left.",
        "It passes when connections end. Raise LimitNOFILE (systemd), ulimit -n or fs.file-max."},
    ErrorCode{Errc::no_memory, "The system has no memory left for this.",
              "It may pass. free -m; dmesg; MemoryMax (systemd)."},
    ErrorCode{
        Errc::bad_path,
        "The path is too long, or there is a file where a directory is needed, or the reverse.",
        "Give another path; stat PATH says what is there."},
    ErrorCode{
        Errc::not_permitted,
        "The system does not permit it: file permissions, a read-only mount, a low port.",
        "Run it as the owner: namei -l PATH shows the owners; findmnt -T PATH shows the mount."},
    ErrorCode{Errc::no_such_file, "There is no such file or directory.",
              "Check the path. A relative path begins in the directory of the process."},
};

}  // namespace

std::span<const ErrorCode> error_codes() { return codes; }

}  // namespace understudy::apps
