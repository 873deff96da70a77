/// What this machine is called in images (GOARCH).
public enum Machine {
    #if arch(x86_64)
    public static let architecture = "amd64"
    #elseif arch(arm64)
    public static let architecture = "arm64"
    #elseif arch(riscv64)
    public static let architecture = "riscv64"
    #else
    public static let architecture = "unknown"
    #endif
}
