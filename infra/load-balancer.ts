import { PORTS } from "./network.ts";
import type { StageSettings } from "./settings.ts";
import type { LoadBalancer, Network, Place } from "./types.ts";

/** Flows of a node that leaves go on for as long as it may drain. */
const DEREGISTRATION_SECONDS = 120;

/**
 * The addresses that carriers send new calls to. Everything after the first answer goes to the node itself, whose own address is in Contact and SDP: a flow of
 * UDP is forgotten after two minutes. Raw resources, as SST's Service gives a network load balancer no fixed addresses and no check over HTTP.
 */
export function loadBalancer({ suffix, opts }: Place, network: Network, settings: StageSettings): LoadBalancer {
	const addresses = network.publicSubnets.map((_, index) => new aws.ec2.Eip(`SipAddress${suffix}${index + 1}`, { domain: "vpc" }, opts));
	const balancer = new aws.lb.LoadBalancer(
		`Sip${suffix}`,
		{
			loadBalancerType: "network",
			internal: false,
			enableCrossZoneLoadBalancing: true,
			enableDeletionProtection: settings.production,
			// Can be given when it is made, and never later.
			securityGroups: [network.loadBalancerGroup.id],
			subnetMappings: network.publicSubnets.map((subnet, index) => ({ subnetId: subnet.id, allocationId: addresses[index]?.allocationId })),
		},
		{ ...opts, dependsOn: network.connected },
	);
	const ways = [
		{ key: "udp" as const, protocol: "UDP", port: PORTS.sip, containerPort: PORTS.sip },
		{ key: "tcp" as const, protocol: "TCP", port: PORTS.sip, containerPort: PORTS.balancedTcp },
		// TCP, as the node ends TLS: it asks peers for certificates and presents its own (docs/sip.md).
		...(settings.sip.tlsSecrets === undefined ? [] : [{ key: "tls" as const, protocol: "TCP", port: PORTS.tls, containerPort: PORTS.tls }]),
	].map(({ key, protocol, port, containerPort }) => {
		const name = key.charAt(0).toUpperCase() + key.slice(1);
		const targetGroup = new aws.lb.TargetGroup(
			`Sip${name}${suffix}`,
			{
				protocol,
				port: containerPort,
				targetType: "ip",
				vpcId: network.vpcId,
				// Off by default for TCP, and trunks are found by their carrier's address.
				preserveClientIp: "true",
				deregistrationDelay: DEREGISTRATION_SECONDS,
				// Not /ready: ECS stops whoever a load balancer finds unwell, protected or not, and a node that drains would lose its calls. It passes new ones on.
				healthCheck: {
					protocol: "HTTP",
					port: String(PORTS.health),
					path: "/healthz",
					matcher: "200",
					interval: 10,
					timeout: 5,
					healthyThreshold: 2,
					unhealthyThreshold: 2,
				},
			},
			opts,
		);
		const listener = new aws.lb.Listener(
			`SipListener${name}${suffix}`,
			{ loadBalancerArn: balancer.arn, protocol, port, defaultActions: [{ type: "forward", targetGroupArn: targetGroup.arn }] },
			opts,
		);
		return { key, targetGroup, listener, containerPort };
	});
	return { balancer, addresses, ways };
}
