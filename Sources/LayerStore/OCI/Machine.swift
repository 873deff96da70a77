/// What this machine is called in images (GOARCH).
enum Machine {
    #if arch(x86_64)
    static let architecture = "amd64"
    #elseif arch(arm64)
    static let architecture = "arm64"
    #elseif arch(riscv64)
    static let architecture = "riscv64"
    #else
    static let architecture = "unknown"
    #endif
}
