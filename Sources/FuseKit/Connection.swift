internal import LinuxSys
public final class Connection: @unchecked Sendable { init() {} }
