/// The version of everything in this package.
public enum Version {
    public static let text = "0.1.0"
}
