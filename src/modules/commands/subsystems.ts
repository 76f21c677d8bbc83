/**
 * The subsystem that a kernel symbol belongs to, by its name: a help for readers, not a fact. The
 * kernel keeps no such list; names begin with their subsystem by convention.
 */
const subsystems: readonly (readonly [name: string, symbols: RegExp])[] = [
  ['tracing', /^(__)?(trace_|perf_|bpf_|event_trigger|ftrace|tracepoint|ring_buffer_)/],
  ['read-copy-update', /(^|_)(s?rcu)(_|$)/],
  ['power management', /^(__)?(pm_|dev_pm|cpu_latency_qos|suspend_|device_(set_)?wakeup|genpd_)/],
  [
    'driver core',
    /^(__)?(device_|devm?_|driver_|class_|bus_|root_device|platform_|subsys_|component_)/,
  ],
  ['sysfs and kobjects', /^(sysfs_|kobject_|kset_|kernfs_|kernel_kobj|debugfs_)/],
  ['PCI', /^(__)?pcie?_/],
  ['USB', /^usb_/],
  [
    'networking',
    /^(__)?(skb_|netdev_|net_|dev_|sock_|sk_|tcp_|udp_|inet_?|ip6?_|ipv6_|nf_|nft_|xt_|genl|rtnl_|phy_|mdio|eth_|napi_|xdp_|page_pool_)/,
  ],
  ['wireless', /^(cfg80211_|ieee80211_|wiphy_)/],
  ['block devices', /^(__)?(blk_|bio_|bdev_|disk_|scsi_|ata_|sata_|nvme_|dm_)/],
  ['file systems', /^(vfs_|iomap_|fscrypt_|fsverity_|inode_|d_|generic_|iget|locks_|fsnotify|nfs)/],
  [
    'memory',
    /^(__)?(mm_|vm_|folio_|page_|shmem_|mmu_|swap_|follow_|pin_user|handle_mm|dma_|iommu_)/,
  ],
  ['workqueues', /^(__)?(.*_work(queue)?(_|$)|.*workqueue|work_on|kthread_)/],
  ['time', /^(__)?(ktime_|hrtimer_|timer|timecounter|cyclecounter|clocksource|round_jiffies|ptp_)/],
  ['interrupts', /^(__)?(irq_|.*_irq|.*_irqs|tasklet_)/],
  ['cryptography', /^(__)?(crypto_|akcipher_|skcipher_|aead_|shash_|ahash_|acomp_)/],
  ['graphics', /^(__)?(drm_|fb_|ttm_)/],
  ['sound', /^(__)?snd_/],
  ['media', /^(v4l2_|vb2_|video_|media_|rc_|dvb_)/],
  [
    'regulators, clocks and pins',
    /^(regulator_|clk_|gpio|pinctrl_|reset_control|regmap_|of_|fwnode_)/,
  ],
  ['virtualisation', /^(kvm_|vhost_|virtio_|virtqueue_|vfio_|hv_|xen_)/],
  [
    'scheduler and locking',
    /^(sched_|set_cpus|task_|cpuset_|percpu_|mutex_|__srcu|lockdep_|wake_up|__wake_up|cpu_|cgroup_|pid_|find_get_pid|put_pid)/,
  ],
];

export function subsystemOf(symbol: string): string {
  return subsystems.find(([, pattern]) => pattern.test(symbol))?.[0] ?? 'other';
}
