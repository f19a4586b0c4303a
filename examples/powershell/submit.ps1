<#
.SYNOPSIS
Submits the figures of a CSV file, and may be run again and again. For Windows PowerShell 5.1 and later, with nothing installed.

.DESCRIPTION
The key is taken from the environment variable CONSPECTUS_KEY. The file's columns are indicator, area, period, value, and where they
are needed numerator, denominator, markers (separated by spaces) and note; it is saved as UTF-8.

Ends with 0 when the figures are stored or were before, 3 when they are refused, 4 when the key may not submit them, 5 when no
server answers, 6 when it is busy, and 1 on anything else.

.EXAMPLE
.\submit.ps1 figures.csv -Agency portsmouth-childrens-services -Server https://figures.example.gov.uk
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true, Position = 0)] [string] $File,
    [Parameter(Mandatory = $true)] [string] $Agency,
    # With its scheme: over http the key crosses the network as it is, so that is for one machine only.
    [Parameter(Mandatory = $true)] [ValidatePattern('^https?://')] [string] $Server,
    [ValidateRange(1, 100)] [int] $Attempts = 6
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

$DeadlineMilliseconds = 30000
$FirstDelaySeconds = 1
$DelaySecondsMax = 60

# These two may pass: the server starts or stops, or has too much to do. Whatever else is refused is refused again.
$Retried = 'unavailable', 'resource_exhausted'
$ExitStatus = @{
    invalid_argument = 3; already_exists = 3
    unauthenticated = 4; permission_denied = 4
    unavailable = 5; deadline_exceeded = 5
    resource_exhausted = 6
}
$Markers = @{
    c = 'MARKER_CONFIDENTIAL'; x = 'MARKER_NOT_AVAILABLE'; z = 'MARKER_NOT_APPLICABLE'; low = 'MARKER_LOW'; u = 'MARKER_UNRELIABLE'
    e = 'MARKER_ESTIMATED'; p = 'MARKER_PROVISIONAL'; r = 'MARKER_REVISED'; b = 'MARKER_BREAK'
}

# Windows PowerShell would offer older versions of TLS alone on older machines.
[Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
# Without this a POST waits for the server's leave to send its body.
[Net.ServicePointManager]::Expect100Continue = $false

# A member of an object that may not be there: what is zero, false or empty is left out of an answer.
function Get-Optional($Object, [string] $Name, $Default = $null) {
    if ($null -ne $Object -and $Object.PSObject.Properties[$Name]) { return $Object.$Name }
    return $Default
}

# A row of the file as a figure. Numbers stay the text that they are: the service reads them exactly.
function ConvertTo-Observation($Row) {
    $observation = @{
        indicator = $Row.indicator
        area = $Row.area
        period = $Row.period
        note = [string](Get-Optional $Row 'note' '')
        markers = @(-split (Get-Optional $Row 'markers' '') | ForEach-Object {
            if ($Markers.ContainsKey($_)) { $Markers[$_] } else { 'MARKER_UNSPECIFIED' }
        })
    }
    if (Get-Optional $Row 'denominator') {
        $observation.ratio = @{ numerator = $Row.numerator; denominator = $Row.denominator }
    } elseif (Get-Optional $Row 'value') {
        $observation.number = $Row.value
    }
    return $observation
}

# The request of the file. Its id is of what it says, so that the same file is stored once, however often it is sent.
function Get-Request([string] $Path) {
    $content = [IO.File]::ReadAllBytes($Path)
    $sha256 = [Security.Cryptography.SHA256]::Create()
    $hash = $sha256.ComputeHash([Text.Encoding]::UTF8.GetBytes("$Agency`n") + $content)
    $id = [BitConverter]::ToString($hash, 0, 16).Replace('-', '').ToLowerInvariant()
    $observations = @(Import-Csv -LiteralPath $Path -Encoding UTF8 | ForEach-Object { ConvertTo-Observation $_ })
    $json = ConvertTo-Json -Compress -Depth 4 -InputObject @{ agency = $Agency; requestId = $id; observations = $observations }
    return , [Text.Encoding]::UTF8.GetBytes($json)
}

function Read-Body($Response) {
    $reader = New-Object IO.StreamReader($Response.GetResponseStream(), [Text.Encoding]::UTF8)
    try { return $reader.ReadToEnd() } finally { $reader.Dispose() }
}

# An error as the server gives it: its code, its message and its details, and the seconds to wait, if it named them.
function ConvertTo-Failure([Net.WebException] $Exception) {
    $response = $Exception.Response
    if ($null -eq $response) {
        $code = if ($Exception.Status -eq [Net.WebExceptionStatus]::Timeout) { 'deadline_exceeded' } else { 'unavailable' }
        return @{ code = $code; message = $Exception.Message; details = @(); seconds = $null }
    }
    $seconds = 0
    $isNamed = [int]::TryParse([string]$response.Headers['Retry-After'], [ref] $seconds)
    $status = [int]$response.StatusCode
    try { $said = ConvertFrom-Json (Read-Body $response) } catch { $said = $null }
    # What isn't the server's own answer is that of a proxy before it.
    $otherwise = if (429, 502, 503, 504 -contains $status) { 'unavailable' } else { 'unknown' }
    return @{
        code = Get-Optional $said 'code' $otherwise
        message = Get-Optional $said 'message' "the answer has the status $status"
        details = @(Get-Optional $said 'details' @())
        seconds = if ($isNamed) { $seconds } else { $null }
    }
}

# One attempt: the answer, or how it failed.
function Invoke-Submission([byte[]] $Body) {
    $request = [Net.HttpWebRequest]::Create("$($Server.TrimEnd('/'))/conspectus.v1.SubmissionService/SubmitObservations")
    $request.Method = 'POST'
    $request.ContentType = 'application/json'
    $request.Timeout = $DeadlineMilliseconds
    $request.Headers['Connect-Timeout-Ms'] = [string]$DeadlineMilliseconds
    if ($env:CONSPECTUS_KEY) { $request.Headers['Authorization'] = "Bearer $env:CONSPECTUS_KEY" }
    # A proxy on the way out asks who is signed in to Windows.
    if ($request.Proxy) { $request.Proxy.Credentials = [Net.CredentialCache]::DefaultCredentials }
    try {
        $stream = $request.GetRequestStream()
        try { $stream.Write($Body, 0, $Body.Length) } finally { $stream.Dispose() }
        $response = $request.GetResponse()
        try { return @{ answer = ConvertFrom-Json (Read-Body $response); failure = $null } } finally { $response.Dispose() }
    } catch {
        # It comes wrapped, as what any method throws.
        $exception = $_.Exception
        while ($null -ne $exception -and $exception -isnot [Net.WebException]) { $exception = $exception.InnerException }
        if ($null -eq $exception) { throw }
        return @{ answer = $null; failure = ConvertTo-Failure $exception }
    }
}

# The row of the file that a field is of, counted with the header.
function Get-Place([string] $Field) {
    if ($Field -match '^observations\[(\d+)\]$') { return "row $([int]$Matches[1] + 2)" }
    if ($Field -match '^observations\[(\d+)\]\.(.+)$') { return "row $([int]$Matches[1] + 2), $($Matches[2])" }
    return $Field
}

$body = Get-Request (Resolve-Path -LiteralPath $File).ProviderPath
$delay = $FirstDelaySeconds
for ($attempt = 1; ; $attempt++) {
    $result = Invoke-Submission $body
    $failure = $result.failure
    if ($null -eq $failure -or $Retried -notcontains $failure.code -or $attempt -ge $Attempts) { break }
    $pause = if ($null -ne $failure.seconds) { $failure.seconds } else { $delay }
    $pause = [Math]::Min($pause, $DelaySecondsMax)
    [Console]::Error.WriteLine("$($failure.code): $($failure.message); again in $pause s")
    Start-Sleep -Seconds $pause
    $delay = [Math]::Min(2 * $delay, $DelaySecondsMax)
}

if ($null -eq $failure) {
    $receipt = $result.answer.receipt
    $what = if (Get-Optional $result.answer 'alreadyReceived' $false) { 'already received' } else { 'received' }
    $new, $revised, $unchanged = 'newCount', 'revisedCount', 'unchangedCount' | ForEach-Object { Get-Optional $receipt $_ 0 }
    $hash = [BitConverter]::ToString([Convert]::FromBase64String($receipt.chainHash)).Replace('-', '').ToLowerInvariant()
    Write-Output "$what at revision $($receipt.revision): $new new, $revised revised, $unchanged unchanged; receipt $hash"
    exit 0
}

[Console]::Error.WriteLine("$($failure.code): $($failure.message)")
foreach ($detail in $failure.details | Where-Object { $_.type -eq 'google.rpc.BadRequest' }) {
    foreach ($violation in $detail.debug.fieldViolations) {
        [Console]::Error.WriteLine("  $(Get-Place (Get-Optional $violation 'field' '')): $($violation.description)")
    }
}
if ($ExitStatus.ContainsKey($failure.code)) { exit $ExitStatus[$failure.code] }
exit 1
