#include "cli/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The beginning of /proc/PID/FILE, NUL-terminated; its length, 0 when it cannot be read. */
static size_t read_proc(pid_t pid, const char *file, char *out, size_t size)
{
	char path[64];
	ssize_t n = 0;
	size_t len = 0;
	int fd;

	snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && len + 1 < size && (n = read(fd, out + len, size - 1 - len)) > 0)
		len += (size_t)n;
	if (fd >= 0)
		close(fd);
	out[len] = '\0';
	return len;
}

static const char *line_of(const char *text, const char *label)
{
	for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (strncmp(line, label, strlen(label)) == 0)
			return line + strlen(label);
	return NULL;
}

/* "Uid:	real effective ...", "Gid:" likewise, "Groups:	1 2 3" */
static bool read_who(pid_t pid, struct sr_who *who)
{
	char text[8192], *end;
	const char *uid, *gid, *groups;

	if (!read_proc(pid, "status", text, sizeof text))
		return false;
	uid = line_of(text, "Uid:");
	gid = line_of(text, "Gid:");
	groups = line_of(text, "Groups:");
	if (!uid || !gid || !groups)
		return false;
	strtoul(uid, &end, 10);
	who->uid = (uid_t)strtoul(end, NULL, 10);
	strtoul(gid, &end, 10);
	who->group[0] = (gid_t)strtoul(end, NULL, 10);
	who->groups = 1;
	for (; who->groups < SR_WHO_GROUPS; who->groups++, groups = end) {
		gid_t next = (gid_t)strtoul(groups, &end, 10);

		if (end == groups)
			break;
		who->group[who->groups] = next;
	}
	sr_who_call(who);
	return true;
}

static void read_config(pid_t pid, char out[256])
{
	char words[4096];
	size_t len = read_proc(pid, "cmdline", words, sizeof words);
	const char *value = NULL;

	for (const char *word = words; word < words + len; word += strlen(word) + 1) {
		if (strncmp(word, "--config=", 9) == 0)
			value = word + 9;
		else if (strcmp(word, "--config") == 0 && word + strlen(word) + 1 < words + len)
			value = word + strlen(word) + 1;
	}
	snprintf(out, 256, "%s", value ? value : "");
}

static bool is_named(pid_t pid, const char *const *names, char out[32])
{
	if (!read_proc(pid, "comm", out, 32))
		return false;
	out[strcspn(out, "\n")] = '\0';
	while (*names && strcmp(*names, out) != 0)
		names++;
	return *names != NULL;
}

void sr_process_each(const char *const *names, sr_process_fn *fn, void *ctx)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	struct sr_process p;
	bool more = true;

	while (proc && more && (entry = readdir(proc))) {
		p = (struct sr_process){.pid = (pid_t)strtol(entry->d_name, NULL, 10)};
		if (p.pid <= 0 || !is_named(p.pid, names, p.name) || !read_who(p.pid, &p.who))
			continue;
		read_config(p.pid, p.config);
		more = fn(ctx, &p);
	}
	if (proc)
		closedir(proc);
}

long long sr_process_open_files(pid_t pid, const char *name)
{
	const char *const names[] = {name, NULL};
	char found[32], text[4096];
	const char *line;

	if (!is_named(pid, names, found) || !read_proc(pid, "limits", text, sizeof text))
		return -1;
	line = line_of(text, "Max open files");
	if (!line)
		return -1;
	line += strspn(line, " ");
	return strncmp(line, "unlimited", 9) == 0 ? 1LL << 40 : strtoll(line, NULL, 10);
}
