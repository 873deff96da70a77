internal import Foundation
internal import LayerStore
internal import LinuxSys

/// Which system calls a process in a container may make: a profile in the form that Docker and Podman share
/// (containers/common, pkg/seccomp), made into that of the runtime specification (config-linux.md, Seccomp). What it
/// says about capabilities and kinds of machine is decided here; crun and runc know only lists.
struct SeccompProfile: Decodable {
    struct Condition: Decodable {
        var caps: [String]?
        var arches: [String]?
        /// As Docker has it: "4.8".
        var minKernel: String?
    }
    struct Argument: Codable {
        var index: UInt
        var value: UInt64
        var valueTwo: UInt64?
        var op: String
    }
    struct Rule: Decodable {
        var names: [String]?
        /// As older profiles have it.
        var name: String?
        var action: String
        var errnoRet: UInt?
        /// By name, which goes before the number.
        var errno: String?
        var args: [Argument]?
        var includes: Condition?
        var excludes: Condition?
    }
    struct Family: Decodable {
        var architecture: String
        var subArchitectures: [String]?
    }
    var defaultAction: String
    var defaultErrnoRet: UInt?
    var defaultErrno: String?
    var flags: [String]?
    var archMap: [Family]?
    var architectures: [String]?
    var syscalls: [Rule]?

    /// What `--seccomp` may be besides a path.
    static let none = "unconfined"
    /// Of Debian's golang-github-containers-common and Fedora's containers-common; /etc's is the administrator's.
    private static let usual = ["/etc/containers/seccomp.json", "/usr/share/containers/seccomp.json"]

    /// - Parameter wanted: a path, or `unconfined`; nil: the machine's, where there is one.
    /// - Returns: nil: all calls are allowed.
    static func find(_ wanted: String?) throws(StoreError) -> SeccompProfile? {
        if wanted == none { return nil }
        guard let path = wanted ?? usual.first(where: { FileManager.default.fileExists(atPath: $0) }) else {
            return nil
        }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw StoreError(.notFound, "the seccomp profile \(path) cannot be read")
        }
        let profile = try decoded(data, path)
        for action in [profile.defaultAction] + (profile.syscalls ?? []).map(\.action) where !actions.contains(action) {
            throw StoreError(.invalid, "\(path): a container here has nothing that would do \(action)")
        }
        return profile
    }
    /// All but SCMP_ACT_NOTIFY, which wants a program that answers.
    private static let actions = [
        "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
        "SCMP_ACT_TRAP", "SCMP_ACT_TRACE", "SCMP_ACT_LOG",
    ]
    /// Those that profiles are seen to have.
    private static let numbers: [String: UInt] = [
        "EPERM": 1, "ENOENT": 2, "ESRCH": 3, "EIO": 5, "ENXIO": 6, "EBADF": 9, "EAGAIN": 11, "ENOMEM": 12, "EACCES": 13,
        "EFAULT": 14, "EBUSY": 16, "ENODEV": 19,
        "EINVAL": 22, "ENOSPC": 28, "EROFS": 30, "ENOSYS": 38, "EAFNOSUPPORT": 97, "EOPNOTSUPP": 95,
    ]
    private static func number(_ name: String?, _ number: UInt?) -> UInt? { name.flatMap { numbers[$0] } ?? number }

    private static func decoded(_ data: Data, _ path: String) throws(StoreError) -> SeccompProfile {
        do { return try JSONDecoder().decode(SeccompProfile.self, from: data) } catch {
            let reason =
                switch error {
                case DecodingError.keyNotFound(let key, _): "\(key.stringValue) is missing"
                case DecodingError.dataCorrupted(let place) where place.codingPath.isEmpty: "it is not JSON"
                case DecodingError.typeMismatch(_, let place), DecodingError.valueNotFound(_, let place),
                    DecodingError.dataCorrupted(let place):
                    "\(place.codingPath.map(\.stringValue).joined(separator: ".")) is not what it should be"
                default: "it is not JSON"
                }
            throw StoreError(.invalid, "\(path) is no seccomp profile in the form of Docker and Podman: \(reason)")
        }
    }

    /// For a process with these capabilities, on this kind of machine.
    func document(_ capabilities: [String]) -> [String: Any] {
        var out: [String: Any] = ["defaultAction": defaultAction]
        if let number = SeccompProfile.number(defaultErrno, defaultErrnoRet) {
            out["defaultErrnoRet"] = Int(clamping: number)
        }
        if let flags, !flags.isEmpty { out["flags"] = flags }
        let families =
            archMap?.first { $0.architecture == SeccompProfile.family }.map {
                [$0.architecture] + ($0.subArchitectures ?? [])
            } ?? architectures
        if let families { out["architectures"] = families }
        out["syscalls"] = (syscalls ?? []).filter { SeccompProfile.applies($0, capabilities) }.compactMap {
            rule -> [String: Any]? in
            let names = (rule.names ?? []) + (rule.name.map { [$0] } ?? [])
            if names.isEmpty { return nil }
            var entry: [String: Any] = ["names": names, "action": rule.action]
            if let number = SeccompProfile.number(rule.errno, rule.errnoRet) {
                entry["errnoRet"] = Int(clamping: number)
            }
            if let args = rule.args, !args.isEmpty {
                entry["args"] = args.map {
                    ["index": Int(clamping: $0.index), "value": $0.value, "valueTwo": $0.valueTwo ?? 0, "op": $0.op]
                        as [String: Any]
                }
            }
            return entry
        }
        return out
    }
    private static func applies(_ rule: Rule, _ capabilities: [String]) -> Bool {
        if let caps = rule.includes?.caps, !caps.isEmpty, !caps.allSatisfy(capabilities.contains) { return false }
        if let arches = rule.includes?.arches, !arches.isEmpty, !arches.contains(Machine.architecture) { return false }
        if let kernel = rule.includes?.minKernel, !isRunning(atLeast: kernel) { return false }
        if let kernel = rule.excludes?.minKernel, isRunning(atLeast: kernel) { return false }
        if let caps = rule.excludes?.caps, caps.contains(where: capabilities.contains) { return false }
        if let arches = rule.excludes?.arches, arches.contains(Machine.architecture) { return false }
        return true
    }

    private static func isRunning(atLeast kernel: String) -> Bool {
        func parts(_ text: String) -> [Int] {
            text.split { !$0.isNumber && $0 != "." }.first.map {
                $0.split(separator: ".").prefix(2).compactMap { Int($0) }
            } ?? []
        }
        let release = (try? String(contentsOfFile: "/proc/sys/kernel/osrelease", encoding: .utf8)) ?? ""
        return !parts(release).lexicographicallyPrecedes(parts(kernel))
    }

    /// What seccomp calls this kind of machine (libseccomp, SCMP_ARCH_*).
    private static let family = [
        "amd64": "SCMP_ARCH_X86_64", "arm64": "SCMP_ARCH_AARCH64", "riscv64": "SCMP_ARCH_RISCV64",
    ][Machine.architecture]
}
