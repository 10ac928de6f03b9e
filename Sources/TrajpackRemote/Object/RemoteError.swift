import TrajpackFormat

extension RemoteFile {
  /// The error of an answer without the bytes that were asked for.
  static func error(
    _ answer: HTTPAnswer, _ request: Request, _ location: RemoteLocation, _ what: String
  ) -> TrajpackError {
    let tries = answer.attempts > 1 ? " after \(answer.attempts) attempts" : ""
    let identity = request.identity.isEmpty ? "" : ", \(request.identity)"
    if answer.overflows || answer.status == 200 {
      return TrajpackError(
        .usage, file: "\(location)",
        "the server does not answer ranges of bytes (it sends the whole file); use a server or a bucket "
          + "that does, or download the dataset")
    }
    if answer.isCertificate {
      return TrajpackError(
        .machine, file: "\(location)",
        "the server's certificate does not verify (\(answer.why)); name a file of authorities in "
          + "AWS_CA_BUNDLE or SSL_CERT_FILE, install ca-certificates or the Python package certifi where there are none, or mend the server"
      )
    }
    guard answer.code == 0 else {
      return TrajpackError(
        .machine, file: "\(location)",
        "\(what) cannot be read\(tries): \(answer.why.lowercasedFirst); check the network and the address"
      )
    }
    let code = answer.errorCode
    let status = code.isEmpty ? "status \(answer.status)" : "status \(answer.status), \(code)"
    switch (answer.status, code) {
    case (_, "NoSuchBucket"):
      return TrajpackError(
        .usage, file: "\(location)",
        "there is no bucket '\(location.authority)' (\(status)); check the name and the endpoint"
      )
    case (404, _), (410, _):
      return TrajpackError(.usage, file: "\(location)", "does not exist (\(status)\(identity))")
    case (_, "RequestTimeTooSkewed"):
      return TrajpackError(
        .machine, file: "\(location)",
        "the server refuses the time of this machine's clock (\(status)); set the clock"
      )
    case (_, "SignatureDoesNotMatch"), (_, "InvalidAccessKeyId"):
      return TrajpackError(
        .usage, file: "\(location)",
        "the access key or its secret is wrong (\(status)\(identity)); check them, the region and the endpoint"
      )
    case (_, "ExpiredToken"), (_, "TokenRefreshRequired"), (_, "InvalidToken"):
      return TrajpackError(
        .usage, file: "\(location)",
        "the credentials have expired (\(status)\(identity)); have new ones")
    case (401, _), (403, _):
      return TrajpackError(
        .usage, file: "\(location)",
        "access is denied (\(status)\(identity)), or there is no such object; check the credentials and the path"
      )
    case (301, _), (307, _), (400, "AuthorizationHeaderMalformed"),
      (400, "IllegalLocationConstraintException"):
      return TrajpackError(
        .usage, file: "\(location)",
        "the bucket is in another region (\(status)); set AWS_REGION to it")
    case (206, _):
      return TrajpackError(
        .machine, file: "\(location)",
        "the server answered \(what) with other bytes\(tries); check the server, or a proxy before it"
      )
    default:
      return TrajpackError(
        .machine, file: "\(location)",
        "\(what) cannot be read\(tries): the server answers with \(status)\(identity); try again later"
      )
    }
  }
}

extension String {
  /// With a small first letter, where the second is small, too.
  var lowercasedFirst: String {
    guard let first, dropFirst().first?.isLowercase == true else { return self }
    return first.lowercased() + dropFirst()
  }
}
