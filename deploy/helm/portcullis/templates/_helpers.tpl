{{- define "portcullis.name" -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "portcullis.selector" -}}
app.kubernetes.io/name: portcullis
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "portcullis.labels" -}}
{{ include "portcullis.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "portcullis.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* (40 MiB + threads × KiB of a hash + connections × 56 KiB) × 1.25, in steps of 64 MiB */}}
{{- define "portcullis.memory" -}}
{{- $hashes := mul (int .Values.hashThreads) (int .Values.argon2MemoryKib) -}}
{{- $kib := add (mul 40 1024) $hashes (mul 56 (int .Values.maxConnections)) -}}
{{- $steps := div (add (mul $kib 125) (sub (mul 100 1024 64) 1)) (mul 100 1024 64) -}}
{{ mul $steps 64 }}Mi
{{- end }}

{{- define "portcullis.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "portcullis.environment" -}}
- {name: ENVIRONMENT, value: production}
- {name: HOST, value: 0.0.0.0}
- {name: PORT, value: "8000"}
- {name: LOG_FORMAT, value: json}
- {name: HASH_THREADS, value: {{ .Values.hashThreads | quote }}}
- {name: ARGON2_MEMORY_KIB, value: {{ .Values.argon2MemoryKib | quote }}}
- {name: MAX_CONNECTIONS, value: {{ .Values.maxConnections | quote }}}
{{- $files := list "jwt_secret" "encryption_key" "index_key" "operator_token" }}
{{- if .Values.mail.username }}{{ $files = append $files "mail_password" }}{{ end }}
{{- if eq .Values.mode "mongo-redis" }}{{ $files = concat $files (list "mongo_url" "redis_url") }}{{ end }}
{{- range $files }}
- {name: {{ upper . }}_FILE, value: /run/secrets/portcullis/{{ . }}}
{{- end }}
{{- if eq .Values.mode "embedded" }}
# a folder of its own in the volume: the server makes it for itself alone
- {name: DATABASE_URL, value: "sqlite:///data/store/portcullis.db"}
{{- end }}
{{- end }}

{{- define "portcullis.pod" -}}
metadata:
  labels:
    {{- include "portcullis.labels" . | nindent 4 }}
  annotations:
    # new settings restart the pods
    checksum/settings: {{ include (print $.Template.BasePath "/config-map.yaml") . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "portcullis.name" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  # preStop, then 30 s for requests that have begun
  terminationGracePeriodSeconds: 45
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{ toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    # secrets and volumes belong to root: this group is the server's way in
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  topologySpreadConstraints:
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "portcullis.selector" $ | nindent 10 }}
    {{- end }}
  {{- if eq .Values.mode "mongo-redis" }}
  # Brings the database to this version and changes nothing in one that is. Instances of the version before keep running
  # on it (docs/upgrade.md).
  initContainers:
    - name: migrate
      image: {{ include "portcullis.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [migrate]
      env:
        {{- include "portcullis.environment" . | nindent 8 }}
      envFrom:
        - configMapRef:
            name: {{ include "portcullis.name" . }}
      resources:
        requests: {cpu: 100m, memory: {{ include "portcullis.memory" . }}}
        limits: {memory: {{ include "portcullis.memory" . }}}
      securityContext:
        {{- include "portcullis.containerSecurity" . | nindent 8 }}
      volumeMounts:
        - {name: secrets, mountPath: /run/secrets/portcullis, readOnly: true}
  {{- end }}
  containers:
    - name: portcullis
      image: {{ include "portcullis.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      ports:
        - {name: http, containerPort: 8000}
      env:
        {{- include "portcullis.environment" . | nindent 8 }}
      envFrom:
        - configMapRef:
            name: {{ include "portcullis.name" . }}
      resources:
        requests: {cpu: {{ .Values.cpuRequest | quote }}, memory: {{ include "portcullis.memory" . }}}
        limits: {memory: {{ include "portcullis.memory" . }}}
      startupProbe:
        httpGet: {path: /livez, port: http}
        periodSeconds: 1
        failureThreshold: 60
      # never the database: a restart of every instance does not bring it back
      livenessProbe:
        httpGet: {path: /livez, port: http}
        periodSeconds: 10
        timeoutSeconds: 3
      readinessProbe:
        httpGet: {path: /readyz, port: http}
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 1
      lifecycle:
        # requests that are still routed here are answered while the endpoint is removed
        preStop:
          sleep: {seconds: 5}
      securityContext:
        {{- include "portcullis.containerSecurity" . | nindent 8 }}
      volumeMounts:
        - {name: secrets, mountPath: /run/secrets/portcullis, readOnly: true}
        {{- if eq .Values.mode "embedded" }}
        - {name: data, mountPath: /data}
        {{- end }}
  volumes:
    - name: secrets
      secret:
        secretName: {{ .Values.existingSecret }}
        defaultMode: 0440
{{- end }}
