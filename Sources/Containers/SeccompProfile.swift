internal import Foundation
internal import LayerStore
internal import LinuxSys

/// Which system calls a process in a container may make: a profile in the form that Docker and Podman share (containers/common, pkg/seccomp), made into that of the runtime
/// specification (config-linux.md, Seccomp). What it says about capabilities and kinds of machine is decided here; crun and runc know only lists.
struct SeccompProfile: Decodable {
    struct Condition: Decodable {
        var caps: [String]?
        var arches: [String]?
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
        guard let path = wanted ?? usual.first(where: { FileManager.default.fileExists(atPath: $0) }) else { return nil }
        guard let data = FileManager.default.contents(atPath: path) else { throw StoreError(.notFound, "the seccomp profile \(path) cannot be read") }
        do { return try JSONDecoder().decode(SeccompProfile.self, from: data) } catch {
            let reason = switch error {
            case DecodingError.keyNotFound(let key, _): "\(key.stringValue) is missing"
            case DecodingError.typeMismatch(_, let place), DecodingError.valueNotFound(_, let place): "\(place.codingPath.map(\.stringValue).joined(separator: ".")) is not what it should be"
            default: "it is not JSON"
            }
            throw StoreError(.invalid, "\(path) is no seccomp profile in the form of Docker and Podman: \(reason)")
        }
    }

    /// For a process with these capabilities, on this kind of machine.
    func document(_ capabilities: [String]) -> [String: Any] {
        var out: [String: Any] = ["defaultAction": defaultAction]
        if let defaultErrnoRet { out["defaultErrnoRet"] = Int(clamping: defaultErrnoRet) }
        let families = archMap?.first { $0.architecture == SeccompProfile.machine.family }.map { [$0.architecture] + ($0.subArchitectures ?? []) } ?? architectures
        if let families { out["architectures"] = families }
        out["syscalls"] = (syscalls ?? []).filter { SeccompProfile.applies($0, capabilities) }.compactMap { rule -> [String: Any]? in
            let names = (rule.names ?? []) + (rule.name.map { [$0] } ?? [])
            if names.isEmpty { return nil }
            var entry: [String: Any] = ["names": names, "action": rule.action]
            if let number = rule.errnoRet { entry["errnoRet"] = Int(clamping: number) }
            if let args = rule.args, !args.isEmpty {
                entry["args"] = args.map { ["index": Int(clamping: $0.index), "value": $0.value, "valueTwo": $0.valueTwo ?? 0, "op": $0.op] as [String: Any] }
            }
            return entry
        }
        return out
    }
    private static func applies(_ rule: Rule, _ capabilities: [String]) -> Bool {
        if let caps = rule.includes?.caps, !caps.isEmpty, !caps.allSatisfy(capabilities.contains) { return false }
        if let arches = rule.includes?.arches, !arches.isEmpty, !arches.contains(machine.name) { return false }
        if let caps = rule.excludes?.caps, caps.contains(where: capabilities.contains) { return false }
        if let arches = rule.excludes?.arches, arches.contains(machine.name) { return false }
        return true
    }

    #if arch(arm64)
    private static let machine = (name: "arm64", family: "SCMP_ARCH_AARCH64")
    #elseif arch(riscv64)
    private static let machine = (name: "riscv64", family: "SCMP_ARCH_RISCV64")
    #else
    private static let machine = (name: "amd64", family: "SCMP_ARCH_X86_64")
    #endif
}
